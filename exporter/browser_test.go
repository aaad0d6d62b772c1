package exporter

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"ply-exporter/exporter/config"
	"ply-exporter/internal/need"
)

// framed has a browser open the page in frames as wide as a phone and a desktop, and
// writes what comes of it.
const framed = `<!DOCTYPE html><pre id="seen"></pre><script>
"use strict";
const sleep = ms => new Promise(done => setTimeout(done, ms));
const tooWide = page => [...page.querySelectorAll("html, header, section, .left, .right")].filter(e => e.scrollWidth > e.clientWidth).length; // what would be scrolled or cut off
async function look(width) {
  await fetch("/mend-reload");
  const frame = document.createElement("iframe");
  frame.style = "border: 0; height: 800px; width: " + width + "px";
  const loaded = new Promise(done => frame.onload = done);
  frame.src = "/";
  document.body.append(frame);
  await loaded;
  const page = frame.contentDocument, copy = page.querySelector(".copy"), tables = page.querySelector("details");
  const seen = {Copy: frame.contentWindow.getComputedStyle(copy).display, Tables: tables.querySelector(".map").checkVisibility()};
  tables.open = true;
  seen.TooWide = tooWide(page);
  copy.click();
  await sleep(100);
  seen.Copied = copy.textContent;
  await fetch("/break-reload");
  for (let i = 0; i < 20 && !page.querySelector("#page-reload section"); i++) await sleep(500);
  seen.Live = page.getElementById("page-live").textContent;
  seen.Reload = page.querySelector("#page-reload .state")?.textContent;
  seen.StillOpen = page.querySelector("details").open;
  seen.StillTooWide = tooWide(page);
  frame.remove();
  return seen;
}
(async () => document.getElementById("seen").textContent = JSON.stringify([await look(360), await look(1280)]))();
</script>`

// In a browser the page fits a phone as it does a desktop, shows by itself what has
// changed, and leaves open what was opened.
func TestPageInABrowser(t *testing.T) {
	chromium := need.Command(t, "chromium")
	b, yaml := demo()
	b.scripts["S"] = on(`t[pid] = time; @busy_with_a_name_that_is_long_and_has_no_place_to_be_broken[comm] = sum(time - time);`)
	b.tracers["S"] = &fakeTracer{
		rows:   map[string][]pair{"@busy_with_a_name_that_is_long_and_has_no_place_to_be_broken": {{chars("kworker/u8:3-ev"), words(90e9)}}},
		probes: []Probe{{Spec: "kprobe:a_function_whose_name_is_longer_than_the_screen_of_a_phone_is_wide", Kind: "kprobe"}},
	}
	yaml += "  - {name: busy_with_a_name_that_is_long_and_has_no_place_to_be_broken, script: S}\n"
	in := &instance{opt: testOptions(b, ""), started: time.Now(), collector: run(t, b, yaml)}
	cfg := parsed(t, yaml)
	in.reloads.begin(cfg)
	page := in.handler()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		page.ServeHTTP(answer, r)
		policy := answer.Header().Get("Content-Security-Policy")
		w.Header().Set("Content-Security-Policy", strings.Replace(policy, "frame-ancestors 'none'", "frame-ancestors 'self'", 1))
		_, _ = w.Write(answer.Body.Bytes())
	})
	mux.HandleFunc("GET /framed", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(framed))
	})
	mux.HandleFunc("GET /break-reload", func(http.ResponseWriter, *http.Request) {
		_, err := config.Parse("probes.yaml", []byte("scripts:\n  - nme: a_name_that_is_longer_than_the_screen_of_a_phone_is_wide\n"))
		_ = in.apply(nil, err, "test")
	})
	mux.HandleFunc("GET /mend-reload", func(http.ResponseWriter, *http.Request) {
		in.reloads.done(cfg, nil)
		in.changed()
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--window-size=1400,900", "--virtual-time-budget=60000", "--dump-dom", server.URL+"/framed")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	m := regexp.MustCompile(`(?s)<pre id="seen">(.*?)</pre>`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("chromium shows\n%s", out)
	}
	type view struct {
		Copy, Copied, Live, Reload string
		Tables, StillOpen          bool
		TooWide, StillTooWide      int
	}
	var views []view
	if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &views); err != nil {
		t.Fatalf("%v in %q", err, m[1])
	}
	want := view{Copy: "block", Copied: "copied", Live: "live", Reload: "not reloaded", StillOpen: true}
	if len(views) != 2 || views[0] != want || views[1] != want {
		t.Errorf("on a phone and a desktop: %+v, want each %+v", views, want)
	}
}
