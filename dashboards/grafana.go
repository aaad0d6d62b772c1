package dashboards

// The parts of Grafana's classic JSON that dashboards have here, with their keys in
// Grafana's order. Grafana publishes types for all of it, grafana-foundation-sdk, whose
// methods would make the program larger by a twenty-fifth; the tests read with them what is
// made of these, and find every key that Grafana does not know, and every value of a
// wrong type.

type document struct {
	UID         string     `json:"uid"`
	Title       string     `json:"title"`
	Description string     `json:"description"`
	Tags        []string   `json:"tags"`
	Timezone    string     `json:"timezone"`
	Editable    bool       `json:"editable"`
	Tooltip     int        `json:"graphTooltip"`
	Time        span       `json:"time"`
	FiscalMonth int        `json:"fiscalYearStartMonth"`
	Refresh     string     `json:"refresh"`
	Schema      int        `json:"schemaVersion"`
	Panels      []any      `json:"panels"` // rowJSON and panelJSON
	Templating  templating `json:"templating"`
	Annotations struct{}   `json:"annotations"`
	Links       []link     `json:"links"`
}

type span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// sharedCrosshair has the pointer on one panel shown on all.
const sharedCrosshair = 1

type link struct {
	Title       string   `json:"title"`
	Type        string   `json:"type"`
	Icon        string   `json:"icon"`
	Tooltip     string   `json:"tooltip"`
	Tags        []string `json:"tags"`
	AsDropdown  bool     `json:"asDropdown"`
	Placement   string   `json:"placement"`
	TargetBlank bool     `json:"targetBlank"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
}

type templating struct {
	List []variable `json:"list"`
}

// A variable is a choice of the reader.
type variable struct {
	Type        string      `json:"type"`
	Name        string      `json:"name"`
	Label       string      `json:"label"`
	SkipURL     bool        `json:"skipUrlSync"`
	Query       string      `json:"query"`
	DataSource  *dataSource `json:"datasource,omitempty"`
	Current     *choice     `json:"current,omitempty"`
	Multi       bool        `json:"multi"`
	Custom      bool        `json:"allowCustomValue"`
	Refresh     int         `json:"refresh,omitempty"`
	Sort        int         `json:"sort,omitempty"`
	IncludeAll  bool        `json:"includeAll"`
	AllValue    string      `json:"allValue,omitempty"`
	Auto        bool        `json:"auto"`
	AutoMinimum string      `json:"auto_min"`
	AutoCount   int         `json:"auto_count"`
	Definition  string      `json:"definition,omitempty"`
}

// When the values of a variable are asked for, and how they are sorted.
const (
	whenTimeChanges = 2
	alphabetically  = 1
)

// newVariable has what Grafana sets in a new one.
func newVariable(kind, name, label, query string) variable {
	return variable{Type: kind, Name: name, Label: label, Query: query, Custom: true, AutoMinimum: "10s", AutoCount: 30}
}

type choice struct {
	Selected bool   `json:"selected"`
	Text     string `json:"text"`
	Value    string `json:"value"`
}

type dataSource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type rowJSON struct {
	Type      string      `json:"type"`
	Collapsed bool        `json:"collapsed"`
	Title     string      `json:"title"`
	Place     place       `json:"gridPos"`
	ID        int         `json:"id"`
	Panels    []panelJSON `json:"panels"` // of a closed row
}

type panelJSON struct {
	Type            string       `json:"type"`
	ID              int          `json:"id"`
	Targets         []targetJSON `json:"targets"`
	Title           string       `json:"title"`
	Description     string       `json:"description"`
	Transparent     bool         `json:"transparent"`
	DataSource      *dataSource  `json:"datasource"`
	Place           place        `json:"gridPos"`
	RepeatDirection string       `json:"repeatDirection"`
	Options         options      `json:"options"`
	Fields          fields       `json:"fieldConfig"`
}

type targetJSON struct {
	DataSource *dataSource `json:"datasource"`
	Expr       string      `json:"expr"`
	Format     string      `json:"format"`
	Instant    bool        `json:"instant"`
	Legend     string      `json:"legendFormat"`
	Range      bool        `json:"range"`
	RefID      string      `json:"refId"`
}

type fields struct {
	Defaults  field      `json:"defaults"`
	Overrides []struct{} `json:"overrides"`
}

type field struct {
	Unit       *string     `json:"unit,omitempty"`
	Mappings   []mapping   `json:"mappings,omitempty"`
	Thresholds *thresholds `json:"thresholds,omitempty"`
	Custom     options     `json:"custom,omitempty"`
}

type mapping struct {
	Type    string            `json:"type"`
	Options map[string]mapped `json:"options"`
}

type mapped struct {
	Text  string `json:"text"`
	Color string `json:"color"`
}

type thresholds struct {
	Mode  string      `json:"mode"`
	Steps []threshold `json:"steps"`
}

type threshold struct {
	Value *float64 `json:"value"` // null is below all others
	Color string   `json:"color"`
}

// A place is that of a panel in Grafana's grid.
type place struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// A grid is where the next panel goes: from left to right, as many as are as wide as
// the grid.
type grid struct{ x, y, height int }

// row is the place of a row, which panels follow.
func (g *grid) row() place {
	at := place{H: 1, W: gridWidth, Y: g.y + g.height}
	*g = grid{y: at.Y + at.H}
	return at
}

// panel is the place of a panel of a size.
func (g *grid) panel(width, height int) place {
	at := place{H: height, W: width, X: g.x, Y: g.y}
	g.x, g.height = g.x+width, max(g.height, height)
	if g.x >= gridWidth {
		*g = grid{y: g.y + g.height}
	}
	return at
}
