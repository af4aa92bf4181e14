// The report's style sheet: one set of colours for light, one for dark and print, and no fixed widths. Nothing in it
// may hold '<' or '&', so that the page is well-formed XML as well.
#include "tools/report/sections.h"

namespace cambium::report {

std::string_view style_sheet() {
    return R"(
:root {
  color-scheme: light dark;
  --page: #fbfaf7; --card: #ffffff; --ink: #1d2420; --soft: #5a645d; --line: #dfe2da; --fill: #eef0ea;
  --accent: #2f7d4f; --accent-soft: #d9eadf; --right: 42, 122, 214; --wrong: 224, 112, 22; --wrong-ink: #a84a00;
  --train: #c2620f; --val: #1f66c0; --second: #7a4fb5; --rate: #2f7d4f; --notice: #fff6e3; --notice-line: #e0a526;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141815; --card: #1c211e; --ink: #e8ece7; --soft: #a3ada5; --line: #343b36; --fill: #272d29;
    --accent: #6cc28e; --accent-soft: #23402f; --wrong-ink: #f2a45e;
    --train: #f0984a; --val: #6fabf2; --second: #bd9aee; --rate: #6cc28e; --notice: #2b2513; --notice-line: #b58a2a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.55;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; font-size: 16px; }
main, footer, nav { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
main { padding-top: 36px; }
h1 { font-size: clamp(1.8rem, 5vw, 2.7rem); text-wrap: balance; line-height: 1.1; letter-spacing: -0.02em; margin: 0 0 14px; }
h2 { font-size: 1.4rem; line-height: 1.25; letter-spacing: -0.01em; margin: 0 0 10px; }
h3 { font-size: 1rem; margin: 0 0 4px; }
p { margin: 0 0 12px; max-width: 46rem; }
a { color: var(--accent); }
section { margin: 52px 0 0; }
h1, p, li, figcaption { overflow-wrap: anywhere; }
table { overflow-wrap: break-word; }
code { font-family: ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", monospace; font-size: 0.88em; }
.eyebrow { color: var(--accent); font-weight: 600; margin: 0 0 10px; }
.lead { font-size: 1.2rem; line-height: 1.5; }
nav ul { list-style: none; margin: 24px 0 0; padding: 12px 0; border: solid var(--line); border-width: 1px 0;
  display: flex; flex-wrap: wrap; gap: 4px 20px; }
nav { padding: 0; }
nav a { text-decoration: none; font-size: 0.92rem; }
nav a:hover { text-decoration: underline; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px; margin: 26px 0 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; }
.tile dt { font-weight: 600; font-size: 0.92rem; }
.tile dd { margin: 0; }
.tile .figure { display: block; font-size: 2rem; font-weight: 650; letter-spacing: -0.02em; line-height: 1.25; }
.tile .meaning { display: block; color: var(--soft); font-size: 0.84rem; line-height: 1.4; margin-top: 8px; }
.bar { display: block; height: 6px; border-radius: 3px; background: var(--fill); overflow: hidden; }
.bar span { display: block; height: 100%; background: var(--accent); border-radius: 3px; }
.tile.baseline { background: transparent; border-style: dashed; }
.tile.baseline .figure { color: var(--soft); }
.tile.baseline .bar span { background: var(--soft); }
.notices { background: var(--notice); border-left: 4px solid var(--notice-line); border-radius: 0 10px 10px 0;
  padding: 14px 18px; margin: 26px 0 0; }
.notices h2 { font-size: 1rem; margin: 0 0 4px; }
.notices ul { margin: 0; padding-left: 18px; }

.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 16px; }
.chart, .reading, .phase-card { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 14px 16px; margin: 0; min-width: 0; }
.chart svg { display: block; width: 100%; height: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 0 18px; margin: 0 0 6px; font-size: 0.86rem; color: var(--soft); }
.legend span { display: inline-flex; align-items: center; gap: 6px; }
.chart .legend svg { width: auto; height: auto; }
.reading p { font-size: 0.93rem; margin-bottom: 8px; }
.reading p:last-child { margin-bottom: 0; }
svg text { font-family: inherit; font-size: 13px; fill: var(--soft); }
.grid line { stroke: var(--line); stroke-width: 1; }
.line path { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.train path { stroke: var(--train); stroke-width: 1.6; } .line.train circle { fill: var(--train); }
.line.val path { stroke: var(--val); } .line.val circle { fill: var(--val); }
.line.second path { stroke: var(--second); stroke-dasharray: 7 5; } .line.second circle { fill: var(--second); }
.line.rate path { stroke: var(--rate); } .line.rate circle { fill: var(--rate); }
.phase line { stroke: var(--soft); stroke-dasharray: 3 4; }
.phase text { font-style: italic; }
.reference line { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 1 4; stroke-linecap: round; }
.best circle { fill: none; stroke: var(--ink); stroke-width: 2; }

.scroll { overflow-x: auto; margin: 0 0 14px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: 0.88rem; padding-bottom: 8px; }
.list, .facts { width: 100%; font-size: 0.94rem; }
.list caption { font-weight: 600; color: var(--ink); font-size: 1rem; }
.list th, .list td, .facts th, .facts td { text-align: left; vertical-align: top; padding: 7px 14px 7px 0;
  border-bottom: 1px solid var(--line); }
.list thead th { color: var(--soft); font-size: 0.84rem; font-weight: 600; vertical-align: bottom; }
.list tbody th { font-weight: 600; min-width: 7rem; }
.list .n { text-align: right; white-space: nowrap; padding-right: 18px; }
.list thead .n { white-space: normal; }
.classes .bar { display: inline-block; width: 72px; margin-right: 10px; vertical-align: middle; }
.facts th { font-weight: 600; width: 13rem; min-width: 6.5rem; }
.confusion { border-collapse: separate; border-spacing: 2px; font-size: 0.88rem; }
.confusion thead th { vertical-align: bottom; padding: 0 0 6px; font-weight: 600; }
.confusion thead span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 12rem; display: inline-block; }
.confusion th span { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.confusion tbody th { padding: 0 8px 0 0; position: sticky; left: 0; background: var(--page); }
.confusion tbody th span { display: block; max-width: 16rem; text-align: right; font-weight: 600; }
.confusion tbody td { min-width: 2.5rem; height: 2.3rem; text-align: center; border-radius: 4px; }
.confusion .hit { background: rgba(var(--right), var(--share, 0)); box-shadow: inset 0 0 0 1.5px rgb(var(--right));
  font-weight: 650; }
.confusion .miss { background: rgba(var(--wrong), var(--share, 0)); }
.confusion .none { color: var(--soft); background: var(--fill); }
.confusion.few tbody td { min-width: 5rem; height: 3.4rem; font-size: 1.05rem; }
.confusion .sum, .confusion tbody td.sum { color: var(--soft); font-weight: 400; min-width: 3.2rem; }
.pairs { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 28px; align-items: start; }
.matrix { margin: 0; }
.matrix img { width: 100%; max-width: 520px; aspect-ratio: 1; image-rendering: pixelated; background: var(--card);
  border: 1px solid var(--line); display: block; }
.matrix figcaption { color: var(--soft); font-size: 0.88rem; margin-top: 8px; max-width: 520px; }

.gallery { list-style: none; margin: 16px 0 0; padding: 0; display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); }
.gallery li { min-width: 0; }
.gallery figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px; overflow: hidden;
  height: 100%; }
.gallery img, .absent { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; background: var(--fill); }
.absent { padding: 12px; font-size: 0.8rem; color: var(--soft); overflow: hidden; }
.gallery figcaption { padding: 9px 11px 11px; font-size: 0.88rem; line-height: 1.4; }
.said, .truth, .path { display: block; }
.said { color: var(--wrong-ink); font-weight: 600; }
.truth { color: var(--accent); font-weight: 600; }
.sure { font-weight: 400; white-space: nowrap; }
.path { color: var(--soft); font-size: 0.76rem; margin-top: 4px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 16px; }
.phase-card .facts tr:last-child > * { border-bottom: 0; }
.phase-card .facts th { width: 9rem; }
.phase-card .scroll { margin-bottom: 0; }
details { margin: 0 0 14px; }
summary { cursor: pointer; color: var(--accent); font-weight: 600; }
details[open] summary { margin-bottom: 8px; }
details p { font-size: 0.93rem; }
footer { color: var(--soft); font-size: 0.86rem; padding-top: 48px; padding-bottom: 40px; }

@media (max-width: 560px) {
  main, footer { padding-left: 14px; padding-right: 14px; }
  main { padding-top: 22px; }
  section { margin-top: 40px; }
  .lead { font-size: 1.08rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 10px; }
  .tile { padding: 12px; }
  .tile .figure { font-size: 1.6rem; }
  .chart, .reading, .phase-card { padding: 12px 10px; }
  svg text { font-size: 15.5px; }
  .gallery { grid-template-columns: 1fr 1fr; gap: 10px; }
  .confusion tbody th span { max-width: 8.5rem; }
  .classes .bar { display: none; }
  .list, .facts { font-size: 0.82rem; }
  .list th, .list td { padding-right: 8px; }
  .list .n { padding-right: 5px; padding-left: 5px; }
  .list .minor { display: none; }
  .list thead th { font-size: 0.74rem; }
  .confusion tbody td { min-width: 2.1rem; }
  .confusion { font-size: 0.82rem; }
  .list tbody th { min-width: 4.5rem; }
  .facts th { width: auto; }
}
@media print {
  :root { --page: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; --line: #cccccc; --fill: #f1f1f1;
    --accent: #2f7d4f; --accent-soft: #d9eadf; --wrong-ink: #a84a00; --train: #c2620f; --val: #1f66c0; --second: #7a4fb5;
    --rate: #2f7d4f; --notice: #fff6e3; --notice-line: #e0a526; color-scheme: light; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 11pt; }
  nav { display: none; }
  section { margin-top: 28px; }
  h2, h3 { break-after: avoid; }
  .tile, .chart, .reading, .phase-card, .gallery li, tr { break-inside: avoid; }
  .scroll { overflow: visible; }
  .tiles { grid-template-columns: repeat(4, 1fr); }
  .charts { grid-template-columns: 1fr 1fr; }
  .gallery { grid-template-columns: repeat(5, 1fr); }
  details::details-content { content-visibility: visible; block-size: auto; }
}
)";
}

}  // namespace cambium::report
