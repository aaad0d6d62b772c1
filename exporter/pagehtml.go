package exporter

import (
	_ "embed"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"
)

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageProgram string

// writeHTML writes the page. What follows are its parts, from the whole to the small.
func (v *pageView) writeHTML(w io.Writer) error {
	page := &html.Node{Type: html.DocumentNode}
	page.AppendChild(&html.Node{Type: html.DoctypeNode, Data: "html"})
	el("html", attr("lang", "en"), v.head(), v.body()).addTo(page)
	return html.Render(w, page)
}

func (v *pageView) head() part {
	return el("head",
		el("meta", attr("charset", "utf-8")),
		el("meta", attr("name", "viewport"), attr("content", "width=device-width, initial-scale=1")),
		el("title", plain("ply-exporter")),
		el("noscript", el("meta", attr("http-equiv", "refresh"), attr("content", "10"))),
		el("style", plain(pageStyle)),
	)
}

func (v *pageView) body() part {
	return el("body",
		el("header", el("div", class("in"),
			el("h1", el("b", plain("ply")), plain("-exporter")),
			v.facts(),
			el("span", id("page-live"), attr("hidden", ""), plain("live")),
			el("nav", link(v.Metrics, v.Metrics), link("/api/v1/status", "status"), link("/config", "configuration")),
		)),
		el("main", id("page-scripts"), attr("data-config", v.layout()),
			el("div", class("keep"), id("page-reload"), v.refused()),
			each(v.Scripts, scriptView.html),
		),
		el("script", plain(pageProgram)),
	)
}

// facts are the two lines beside the name.
func (v *pageView) facts() part {
	return el("div", class("facts"), id("page-facts"), attr("data-at", strconv.FormatInt(v.ReadAt, 10)),
		el("div",
			el("b", plain(strconv.Itoa(v.Up))), plain(" running"),
			when(len(v.Failed) > 0, plain(", "), el("span", class("failed"), plain(fmt.Sprintf("%d not: ", len(v.Failed))), links(v.Failed))),
			when(len(v.Waiting) > 0, plain(fmt.Sprintf(", %d waiting: ", len(v.Waiting))), links(v.Waiting)),
			when(v.failedReload() != nil, plain(" · "), el("span", class("failed"), link("#page-reload", "configuration not reloaded"))),
			plain(" · up "+v.Uptime),
			when(v.Version != "", plain(" · version "+v.Version)),
		),
		el("div", plain("counts of "+timeText(v.Read)+" · "+v.scrapeText()+" · configuration of "+timeText(v.Config.Loaded))),
	)
}

// refused tells of a configuration that was not taken.
func (v *pageView) refused() part {
	failed := v.failedReload()
	if failed == nil {
		return nil
	}
	return el("section", class("script"),
		el("div", class("head"),
			el("h2", plain("configuration")),
			el("span", class("help"), plain("read at "+timeText(failed.Time)+"; the one of "+timeText(v.Config.Loaded)+" goes on")),
			el("span", class("state failed"), plain("not reloaded")),
		),
		errorHTML(failed.Error),
	)
}

func (v scriptView) html() part {
	return el("section", class("script"), id(v.Name),
		el("div", class("head"),
			el("h2", link("#"+v.Name, v.Name)),
			el("span", class("help"), plain(v.Help)),
			el("span", class("state "+v.State), id("state-"+v.Name), plain(v.stateText())),
		),
		el("div", class("cols"),
			el("div", class("left"),
				el("div", class("source mono"), attr("tabindex", "0"), each(v.Source, lineView.html)),
				el("div", class("file"), plain(v.File)),
				v.attached(),
			),
			v.maps(),
		),
	)
}

func (v scriptView) stateText() string {
	switch v.State {
	case "up":
		return "running"
	case "failed":
		return "not running"
	case "waiting":
		return "waits for a program"
	case "over":
		return "over its budget"
	}
	return "cannot be read"
}

func (l lineView) html() part {
	return el("span", el("i", plain(strconv.Itoa(l.Number))), plain(l.Text))
}

// attached is what stands below the text of a script: its probes, and what is to be said of
// the whole.
func (v scriptView) attached() part {
	probe := func(p probeStatus) part { return p.html(len(v.Probes) > 1) }
	return el("div", class("keep"), id("probes-"+v.Name),
		when(len(v.Probes) > 0, el("ul", class("probes"), each(v.Probes, probe))),
		v.since(),
		when(v.Behind != "", warningHTML(v.Behind)),
		each(v.Warnings, warningHTML),
		each(v.Notes, noteHTML),
	)
}

func (v scriptView) since() part {
	if v.Created == nil {
		return nil
	}
	return el("p", class("note"), plain(v.Cost.String()), el("br"),
		plain("counts since "+timeText(*v.Created)), when(v.Pinned, plain(" · pinned")))
}

// html is the line of a probe, with what its programs cost if the script has others.
func (p probeStatus) html(oneOfMany bool) part {
	cost, missed := p.Cost.String(), p.missedEvents()
	return el("li",
		el("code", plain(p.Spec)), plain(" "), el("span", class("kind"), plain(p.Kind)),
		when(p.Covers > 1, plain(" "), el("span", class("kind"), plain(fmt.Sprintf("%d probes", p.Covers)))),
		when(!p.Attached, plain(" "), el("span", class("state failed"), plain("not attached"))),
		when(p.Why != "", el("span", class("why"), plain(p.Why))),
		when(oneOfMany && cost != "", el("span", class("why"), plain(cost))),
		when(missed > 0, el("span", class("why dropped"), plain(groupDigits(missed)+" events missed by the kernel"))),
		when(p.Error != "", errorHTML(p.Error)),
	)
}

// maps is the right side: what is wrong, the maps that are exported, and the others folded.
func (v scriptView) maps() part {
	metrics, tables := v.exported()
	return el("div", class("right keep"), id("maps-"+v.Name),
		when(v.Error != "", errorHTML(v.Error)),
		each(v.Waits, v.waits),
		each(metrics, mapView.html),
		v.folded(tables),
	)
}

// waits tells of a program that is not there.
func (v scriptView) waits(program string) part {
	if v.Created != nil {
		return warningHTML(program + " is gone; what is left of its processes is counted, and it itself when it is there again")
	}
	return noteHTML("waits for " + program + ", and starts when it is there")
}

// folded are the tables that are no metrics.
func (v scriptView) folded(list []mapView) part {
	var names []string
	for _, m := range list {
		names = append(names, m.Name)
	}
	title := fmt.Sprintf("%d tables that are not exported: ", len(list))
	switch len(list) {
	case 0:
		return nil
	case 1:
		title = "1 table that is not exported: "
	}
	return el("details", id("tables-"+v.Name),
		el("summary", plain(title+strings.Join(names, ", "))),
		each(list, mapView.html),
	)
}

func (v mapView) html() part {
	metric := parts{plain("not exported")}
	if v.Metric != "" {
		metric = parts{el("code", attr("title", v.Help), plain(v.Metric)), plain(" · " + v.Type)}
	}
	return el("div", class("map"),
		el("h3", el("code", plain(v.Name)), plain(" "), el("span", class("metric"), metric)),
		v.fill(),
		when(v.Query != "", el("div", class("query"), el("code", plain(v.Query)), el("button", class("copy"), attr("type", "button"), plain("copy")))),
		v.values(),
		when(v.More > 0, el("div", class("more"), plain(fmt.Sprintf("and %d more", v.More)))),
	)
}

// fill is how much is in the map, and what did not get into it.
func (v mapView) fill() part {
	meter := "meter"
	if v.Fill >= 95 {
		meter = "meter full"
	}
	return el("div", class("fill"),
		when(v.Keyed,
			el("span", class(meter), el("i", attr("style", fmt.Sprintf("width:%d%%", v.Fill)))),
			plain(groupDigits(uint64(v.Entries))+" of "+groupDigits(uint64(v.Max))+" keys · "),
		),
		plain(bytesText(float64(v.Memory))),
		when(v.Filtered > 0, plain(" · "+groupDigits(uint64(v.Filtered))+" not exported")),
		when(v.Dropped > 0, plain(" · "), el("span", class("dropped"), plain(groupDigits(v.Dropped)+" updates refused"))),
		when(v.Overflow > 0, plain(" · "+groupDigits(v.Overflow)+" updates of other keys")),
		when(v.Expires != "", plain(" · keys expire after "+v.Expires)),
		when(v.Expires != "" && v.Expired > 0, plain(", "+groupDigits(v.Expired)+" have")),
	)
}

// values are what the map counts: histograms, one number, or a table by key.
func (v mapView) values() part {
	switch {
	case len(v.Histograms) > 0:
		return el("div", class("hists"), each(v.Histograms, histogramView.html))
	case len(v.Rows) == 0:
		return el("div", class("none"), plain("nothing yet"))
	case len(v.Keys) == 0:
		return each(v.Rows, v.number)
	}
	return el("table", v.columns(), each(v.Rows, v.row))
}

func (v mapView) number(r rowView) part {
	total := "of the time since " + timeText(v.Since) + ", " + r.Total + " in all"
	return el("div", class("big"), plain(r.Value+" "), el("span", class("rate"), v.rate(r)),
		when(r.Total != "", plain(" "), el("span", class("total"), plain(total))))
}

func (v mapView) columns() part {
	value := parts{el("th", class("num"), plain("value"))}
	if v.Share {
		value = parts{
			el("th", class("num"), attr("title", "since "+timeText(v.Since)), plain("share of time")),
			el("th", class("num"), plain("total")),
		}
	}
	key := func(name string) part { return el("th", plain(name)) }
	return el("tr", each(v.Keys, key), value, el("th"), el("th", class("bar")))
}

func (v mapView) row(r rowView) part {
	key := func(text string) part { return el("td", class("mono"), plain(text)) }
	return el("tr",
		each(r.Keys, key),
		el("td", class("num"), plain(r.Value)),
		when(r.Total != "", el("td", class("num total"), plain(r.Total))),
		el("td", class("num rate"), v.rate(r)),
		el("td", class("bar"), when(r.Share > 0, el("i", attr("style", fmt.Sprintf("width:%.1f%%", r.Share))))),
	)
}

// rate is what the page's program needs to say how fast a row counts.
func (v mapView) rate(r rowView) part {
	return when(r.Counter, attr("data-row", r.ID), attr("data-value", fmt.Sprint(r.Raw)), attr("data-unit", v.Unit))
}

func (v histogramView) html() part {
	keys := "all"
	if len(v.Keys) > 0 {
		keys = strings.Join(v.Keys, ", ")
	}
	axis := func(text string) part { return el("span", plain(text)) }
	return el("figure", class("hist"),
		el("figcaption", el("b", plain(keys)), el("span", plain(v.Count), when(v.Mean != "", plain(" · mean "+v.Mean)))),
		el("div", class("bars"), each(v.Bars, barView.html)),
		el("div", class("axis"), axis(v.First), axis(v.Mid), axis(v.Final)),
	)
}

func (b barView) html() part {
	return el("span", attr("title", b.Title), el("i", attr("style", fmt.Sprintf("height:%.1f%%", b.Height))))
}

// errorHTML is an error with what belongs to it. Its lines of code, and carets below them,
// are not wrapped.
func errorHTML(text string) part {
	line := func(line string) part {
		return el("span", when(strings.HasPrefix(line, "    "), class("code")), plain(line))
	}
	return el("pre", class("error"), each(strings.Split(text, "\n"), line))
}

func warningHTML(text string) part { return el("p", class("warning"), plain(text)) }
func noteHTML(text string) part    { return el("p", class("note"), plain(text)) }

// link leads to an address of this exporter: one that begins with a slash or a #.
func link(to, text string) part { return el("a", attr("href", to), plain(text)) }

// links lead to the scripts.
func links(scripts []scriptView) (list parts) {
	for i, s := range scripts {
		list = append(list, when(i > 0, plain(", ")), link("#"+s.Name, s.Name))
	}
	return list
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
