// The page draws /dashboard.json, a Perses dashboard, with data from /api of the same server.
import React from "react";
import { createRoot } from "react-dom/client";
import { ThemeProvider, createTheme } from "@mui/material";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { registerPreprocessor } from "echarts/core";
import { BrowserRouter } from "react-router-dom";
import { QueryParamProvider } from "use-query-params";
import { ReactRouter6Adapter } from "use-query-params/adapters/react-router-6";
import { ChartsProvider, SnackbarProvider, generateChartsTheme, getTheme } from "@perses-dev/components";
import { PluginRegistry, ValidationProvider, dynamicImportPluginLoader } from "@perses-dev/plugin-system";
import { ViewDashboard } from "@perses-dev/dashboards";
import * as heatmap from "@perses-dev/heatmap-chart-plugin";
import * as prometheus from "@perses-dev/prometheus-plugin";
import * as stat from "@perses-dev/stat-chart-plugin";
import * as timeseries from "@perses-dev/timeseries-chart-plugin";

// Heat maps are drawn at once: in steps, a part of one is in the picture.
registerPreprocessor((option) => [option.series ?? []].flat().forEach((s) => (s.progressive = 0)));

const loader = dynamicImportPluginLoader(
  [heatmap, prometheus, stat, timeseries].map((m) => ({ resource: m.getPluginModule(), importPlugin: async () => m })),
);

const source = {
  kind: "GlobalDatasource",
  metadata: { name: "prometheus" },
  spec: { default: true, plugin: { kind: "PrometheusDatasource", spec: { directUrl: location.origin, scrapeInterval: "5s" } } },
};
const datasourceApi = {
  getDatasource: async () => undefined,
  getGlobalDatasource: async () => source,
  listDatasources: async () => [],
  listGlobalDatasources: async () => [source],
  buildProxyUrl: () => location.origin,
};

const theme = getTheme("light");
const wrap = [
  [BrowserRouter, {}],
  [QueryParamProvider, { adapter: ReactRouter6Adapter }],
  [ThemeProvider, { theme }],
  [ChartsProvider, { chartsTheme: generateChartsTheme(theme, {}) }],
  [QueryClientProvider, { client: new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: false, retry: false } } }) }],
  [SnackbarProvider, {}],
  [PluginRegistry, { pluginLoader: loader, defaultPluginKinds: { Panel: "TimeSeriesChart", TimeSeriesQuery: "PrometheusTimeSeriesQuery" } }],
  [ValidationProvider, {}],
];

const dashboard = await (await fetch("/dashboard.json")).json();
const view = <ViewDashboard dashboardResource={dashboard} datasourceApi={datasourceApi} isReadonly isVariableEnabled={false} isDatasourceEnabled={false} />;
createRoot(document.getElementById("root")).render(wrap.reduceRight((inner, [Outer, props]) => <Outer {...props}>{inner}</Outer>, view));
