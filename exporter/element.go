package exporter

import "golang.org/x/net/html"

// A part is what an element is made of: attributes, texts and other elements. What the
// texts and attributes have in them is escaped when they are written.
type part interface{ addTo(n *html.Node) }

type (
	element   html.Node
	attribute html.Attribute
	plain     string // a text
	parts     []part
)

func (e *element) addTo(n *html.Node)  { n.AppendChild((*html.Node)(e)) }
func (a attribute) addTo(n *html.Node) { n.Attr = append(n.Attr, html.Attribute(a)) }
func (t plain) addTo(n *html.Node) {
	n.AppendChild(&html.Node{Type: html.TextNode, Data: string(t)})
}
func (list parts) addTo(n *html.Node) {
	for _, p := range list {
		if p != nil {
			p.addTo(n)
		}
	}
}

// el makes an element. Parts that are nil are left out.
func el(name string, list ...part) *element {
	n := &html.Node{Type: html.ElementNode, Data: name}
	parts(list).addTo(n)
	return (*element)(n)
}

// attr is not inlined: the page has a hundred of them, and each would be compiled by itself.
//
//go:noinline
func attr(name, value string) part { return attribute{Key: name, Val: value} }

func class(names string) part { return attr("class", names) }
func id(name string) part     { return attr("id", name) }

// when is some parts, or nothing.
func when(so bool, list ...part) part {
	if !so {
		return nil
	}
	return parts(list)
}

// each is a part for every element of a list.
func each[T any](list []T, part func(T) part) (all parts) {
	for _, v := range list {
		all = append(all, part(v))
	}
	return all
}
