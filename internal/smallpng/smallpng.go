// Package smallpng makes pictures of pages small enough for documentation.
package smallpng

import (
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"slices"
)

// Shrink cuts a picture to a size, from its upper left corner, and gives it a palette of its most frequent colors, which makes its file a
// third as large; a page has few, and shades of them at the edges of letters.
func Shrink(file string, size image.Point) error {
	picture, err := read(file)
	if err != nil {
		return err
	}
	b := picture.Bounds().Intersect(image.Rectangle{Max: size})
	small := image.NewPaletted(b, frequent(picture))
	nearest := map[color.Color]uint8{}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := picture.At(x, y)
			i, known := nearest[c]
			if !known {
				i = uint8(small.Palette.Index(c))
				nearest[c] = i
			}
			small.SetColorIndex(x, y, i)
		}
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	return encoder.Encode(out, small)
}

func read(file string) (image.Image, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return png.Decode(in)
}

// frequent are the 64 colors that most points have.
func frequent(picture image.Image) color.Palette {
	points := map[color.Color]int{}
	b := picture.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			points[picture.At(x, y)]++
		}
	}
	all := slices.SortedFunc(maps.Keys(points), func(a, b color.Color) int { return cmp.Compare(points[b], points[a]) })
	return all[:min(len(all), 64)]
}
