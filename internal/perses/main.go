// Command perses draws Grafana dashboards of ours with the components of Perses, to be
// looked at: not as Grafana draws them, but queries, units, legends, layout and
// emptiness are seen. It is for people; no test needs it.
//
//	internal/perses/setup DIR                               # once: half a gigabyte of npm packages
//	go run ./internal/perses -app DIR/dist -prometheus http://127.0.0.1:9090 -o tcp.png dashboards/tcp.json
//
// Chromium makes the picture. Without -o the page is served until ^C.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

var wait = flag.Duration("wait", 20*time.Second, "time to draw")

func main() {
	app := flag.String("app", "", "folder with the built page")
	prometheus := flag.String("prometheus", "http://127.0.0.1:9090", "address of Prometheus")
	output := flag.String("o", "", "picture to write")
	size := flag.String("size", "1400,2600", "size of the picture")
	span := flag.String("span", "10m", "time range")
	rows := flag.String("rows", "", "numbers of the rows to draw, such as 0,2 (default: all)")
	flag.Parse()
	dashboard, err := os.ReadFile(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	converted, err := convert(dashboard, *span, numbers(*rows)...)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	page := "http://" + l.Addr().String() + "/?start=" + *span
	served := make(chan error)
	go func() { served <- http.Serve(l, handler(*app, *prometheus, converted)) }()
	if *output == "" {
		fmt.Println(page)
		log.Fatal(<-served)
	}
	chromium := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--timeout=120000",
		"--window-size="+*size, "--screenshot="+*output, page)
	if said, err := chromium.CombinedOutput(); err != nil {
		log.Fatalf("chromium: %v\n%s", err, said)
	}
}

func numbers(list string) (out []int) {
	for word := range strings.SplitSeq(list, ",") {
		if n, err := strconv.Atoi(word); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// handler serves the page and its dashboard, and passes on what it asks Prometheus.
func handler(app, prometheus string, dashboard []byte) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(app)))
	mux.HandleFunc("/wait", func(http.ResponseWriter, *http.Request) { time.Sleep(*wait) }) // the page is loaded, and the picture taken, then
	mux.HandleFunc("/dashboard.json", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(dashboard) })
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer, err := ask(prometheus+r.URL.Path, r.Form)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.Form.Get("query"), "or on()") {
			answer = withHistogram(answer)
		}
		_, _ = w.Write(answer)
	})
	return mux
}

func ask(address string, form url.Values) ([]byte, error) {
	response, err := http.PostForm(address, form)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		log.Printf("%s\n%s", form.Get("query"), answer)
	}
	return answer, err
}
