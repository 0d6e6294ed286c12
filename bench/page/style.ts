/** Colours and layout of the page, for light and dark. */
export const STYLE: string = `
:root { color-scheme: light dark; --bg: #fcfcfb; --fg: #1d2126; --dim: #5c6670; --line: #d9dde1; --panel: #ffffff;
  --c0: #2f6db3; --c1: #d1762c; --c2: #3d8f5f; --c3: #8a5aa8; --c4: #a8892b; --mark: #c23b3b; }
@media (prefers-color-scheme: dark) { :root { --bg: #14171a; --fg: #e4e7ea; --dim: #98a2ac; --line: #2d343a; --panel: #1b1f23;
  --c0: #6aa5e6; --c1: #eb9a58; --c2: #6cc291; --c3: #bd90da; --c4: #d6b758; --mark: #ef7777; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 1080px; background: var(--bg); color: var(--fg);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Open Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; } p, li { max-width: 46rem; } .dim, figcaption { color: var(--dim); font-size: .9rem; }
figure { margin: .75rem 0 1.25rem; padding: .75rem; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; overflow-x: auto; }
figcaption { margin-top: .25rem; } svg { display: block; width: 100%; height: auto; min-width: 640px; font: 12px system-ui, "Open Sans", sans-serif; }
svg.curves { min-width: 320px; } .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 1rem; } .pair figure { margin: 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
th, td { padding: .25rem .7rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; } th:first-child, td:first-child { text-align: left; }
th { color: var(--dim); font-weight: 600; } code { font: .88em ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--dim); }
svg .label { fill: var(--dim); } svg .value { fill: var(--fg); } svg .grid { stroke: var(--line); } svg .mark { stroke: var(--mark); stroke-dasharray: 4 3; }
svg polyline { fill: none; } svg polyline, svg [class^="l"] { stroke-width: 2; } svg .dashed { stroke-dasharray: 5 4; }
${[0, 1, 2, 3, 4].map((i) => `svg .c${i} { fill: var(--c${i}); } svg .l${i} { stroke: var(--c${i}); }`).join(' ')}`;
