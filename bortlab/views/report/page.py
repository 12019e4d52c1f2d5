"""The style sheet and the script of a report's page."""

STYLE = """
* { box-sizing: border-box; print-color-adjust: exact; }
body { margin: 0 auto; max-width: 46rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 "Source Sans 3", "Source Sans Pro", system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 0; }
a { color: inherit; }
.faint, .question, figcaption, dt, dd, summary { color: var(--faint); }
.question { margin: .1rem 0 .8rem; }
select { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--faint);
  border-radius: .3rem; padding: .1rem .3rem; }
nav { margin: 1.2rem 0 0; }
nav ol { margin: 0; padding-left: 1.6rem; }
section { border-top: 1px solid var(--grid); margin-top: 2rem; padding-top: 1.4rem; }
blockquote { margin: 0 0 1rem; padding: .5rem .9rem; border-left: 3px solid var(--faint); background: var(--grid); }
blockquote p { margin: .2rem 0; }
.pictures { display: flex; flex-wrap: wrap; gap: 1.2rem; margin-bottom: 1rem; }
figure { margin: 0; flex: 0 0 100%; max-width: 100%; break-inside: avoid; }
.small { flex: 0 1 20rem; }
.picture { overflow-x: auto; overflow-wrap: normal; }
figcaption { font-size: .88rem; line-height: 1.4; margin-top: .3rem; }
details { margin: .5rem 0; }
summary { cursor: pointer; }
:focus-visible { outline: 2px solid var(--faint); outline-offset: 2px; }
.wide { overflow: auto; max-height: 30rem; margin-top: .4rem; }
table { border-collapse: collapse; font-size: .82rem; line-height: 1.35; overflow-wrap: normal; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--grid); vertical-align: top; }
td bdi { overflow-wrap: anywhere; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { margin: .4rem 0; padding: .7rem .9rem; overflow: auto; background: var(--grid); border-radius: .3rem;
  font-size: .8rem; line-height: 1.45; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem .9rem; margin: 1rem 0 0;
  font-size: .85rem; }
dt { max-width: 12rem; } dd { margin: 0; }
@media (max-width: 32rem) { dl { grid-template-columns: 1fr; } dd { margin: 0 0 .4rem; } }
@media print {
  @page { margin: 14mm 12mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .screen { display: none; }
  h2, .question, summary { break-after: avoid; }
  details:not([open]) { display: none; }
  .wide, pre { overflow: visible; max-height: none; }
  pre { white-space: pre-wrap; }
  tr { break-inside: avoid; }
}
"""

SCRIPT = """
"use strict";
const inflate = async name => {
  const bytes = Uint8Array.from(atob(document.getElementById(name).textContent), letter => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
};
const theme = document.getElementById("theme");
theme.addEventListener("change", () => { document.documentElement.dataset.theme = theme.value; });
const folded = document.querySelectorAll("details.printed");
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...folded].filter(part => !part.open);
  closed.forEach(part => { part.open = true; });
});
addEventListener("afterprint", () => closed.forEach(part => { part.open = false; }));
(async () => {
  const places = document.querySelectorAll("[data-figure]");
  if (places.length) {
    const plotly = document.createElement("script");
    plotly.textContent = await inflate("bortlab-plotly");
    document.head.append(plotly);
    const report = JSON.parse(await inflate("bortlab-report"));
    for (const place of places) {
      const [view, picture] = place.dataset.figure.split("-");
      const { data, layout } = JSON.parse(report.views[view].pictures[picture].figure);
      await Plotly.newPlot(place, data, { ...layout, autosize: true, width: undefined },
        { responsive: true, displaylogo: false, modeBarButtons: [["toImage"]] });
    }
  }
  document.documentElement.dataset.drawn = "true";
})();
"""
"""Draws the figures, opens for print what is short enough for paper, and follows the choice of colours."""
