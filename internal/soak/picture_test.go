package soak

import (
	"bytes"
	"fmt"
	"time"

	"ply-exporter/internal/promtest"
)

// The size of a picture, and of its margins.
const (
	width, height = 720, 200
	left, bottom  = 60, 24
	top           = 30
)

// page is a picture of so many that draw has drawn.
func page(drawn []byte, n int) []byte {
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n"+
		`<rect width="100%%" height="100%%" fill="white"/>`+"\n%s</svg>\n", width, n*height, drawn)
}

// draw draws a line from 0 up, and a mark for each restart, as SVG below what is
// drawn.
func (f flat) draw(b *bytes.Buffer, line []promtest.Point, marks []time.Time) {
	first, last := line[0].Time, line[len(line)-1].Time
	most := largest(line) * 1.1
	x := func(at time.Time) float64 {
		return left + float64(at.Sub(first))/float64(last.Sub(first))*(width-left-10)
	}
	y := func(v float64) float64 { return height - bottom - v/most*(height-bottom-top) }
	below := bytes.Count(b.Bytes(), []byte("<polyline"))
	fmt.Fprintf(b, `<g transform="translate(0 %d)"><text x="%d" y="18">%s</text>`+"\n", below*height, left, f.unit)
	for i := range 4 {
		v := most / 3 * float64(i)
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y(v), width-10, left-6, y(v)+4, digits(v/f.scale))
	}
	for _, at := range marks {
		if at.After(first) && at.Before(last) {
			fmt.Fprintf(b, `<path d="M%.1f %dV%d" stroke="#e8a33d" stroke-dasharray="3 3"/>`+"\n", x(at), top, height-bottom)
		}
	}
	b.WriteString(`<polyline fill="none" stroke="#2864b4" stroke-width="1.5" points="`)
	for _, p := range line {
		fmt.Fprintf(b, "%.1f,%.1f ", x(p.Time), y(p.Value))
	}
	b.WriteString(`"/>` + "\n")
	for i := range 7 {
		at := first.Add(last.Sub(first) / 6 * time.Duration(i))
		anchor := "middle"
		if i == 6 {
			anchor = "end"
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="%s">%s</text>`+"\n", x(at), height-8, anchor, at.Sub(first).Round(time.Second))
	}
	b.WriteString("</g>\n")
}

// digits is a number with three digits, and none after the point from 100 on.
func digits(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
