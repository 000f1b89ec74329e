import { useInsertionEffect } from 'react';

const CSS = `
.durable-devtools, .durable-devtools * { box-sizing: border-box; margin: 0; padding: 0; }
.durable-devtools {
  color-scheme: light dark;
  --dd-page: light-dark(#fff, #17191d); --dd-raised: light-dark(#eef1f5, #23272e);
  --dd-text: light-dark(#1a1d21, #e8eaed); --dd-muted: light-dark(#5b636e, #9aa3af);
  --dd-line: light-dark(#d8dde3, #343a43); --dd-accent: light-dark(#2158c4, #7aa8ff);
  --dd-ok: light-dark(#18794e, #4cc38a); --dd-warn: light-dark(#a15c00, #f1a10d); --dd-bad: light-dark(#c02a2a, #ff7b72);
  position: fixed; bottom: 12px; z-index: 99999; color: var(--dd-text);
  font: 13px/1.5 system-ui, sans-serif; text-align: left;
}
.durable-devtools[data-position=bottom-left] { left: 12px; }
.durable-devtools[data-position=bottom-right] { right: 12px; }
.durable-devtools button {
  font: inherit; color: inherit; text-align: left; min-height: 32px; padding: 4px 10px; cursor: pointer;
  border: 1px solid var(--dd-line); border-radius: 7px; background: var(--dd-page);
}
.durable-devtools button:hover, .durable-devtools button[aria-pressed=true] { background: var(--dd-raised); }
.durable-devtools button[aria-pressed=true] { border-color: var(--dd-accent); }
.durable-devtools :focus-visible { outline: 2px solid var(--dd-accent); outline-offset: 1px; }
.durable-devtools-toggle { border-radius: 99px !important; box-shadow: 0 2px 10px rgb(0 0 0 / 18%); }
.durable-devtools section {
  display: flex; flex-direction: column; width: min(680px, calc(100vw - 24px)); height: min(420px, calc(100vh - 24px));
  border: 1px solid var(--dd-line); border-radius: 12px; background: var(--dd-page);
  box-shadow: 0 8px 32px rgb(0 0 0 / 22%); overflow: hidden;
}
.durable-devtools header { display: flex; align-items: center; gap: 8px; padding: 8px 12px; }
.durable-devtools h2 { flex: 1; font: 600 13px/1.5 system-ui, sans-serif; }
.durable-devtools [role=toolbar] { display: flex; flex-wrap: wrap; gap: 6px; padding: 0 12px 10px; border-bottom: 1px solid var(--dd-line); }
.durable-devtools-body { flex: 1; display: flex; flex-wrap: wrap; min-height: 0; overflow: auto; }
.durable-devtools ul, .durable-devtools ol { list-style: none; }
.durable-devtools ul { flex: 1 1 240px; max-height: 100%; padding: 8px; overflow: auto; border-right: 1px solid var(--dd-line); }
.durable-devtools ul button { display: block; width: 100%; border-color: transparent; overflow-wrap: anywhere; }
.durable-devtools article { flex: 1 1 300px; max-height: 100%; padding: 10px 12px; overflow: auto; }
.durable-devtools dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 12px; margin-bottom: 8px; }
.durable-devtools dd { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.durable-devtools dt, .durable-devtools small, .durable-devtools-empty { color: var(--dd-muted); font-size: 12px; }
.durable-devtools-empty { padding: 16px; }
.durable-devtools ol li { display: grid; grid-template-columns: 64px 1fr; gap: 8px; overflow-wrap: anywhere; }
.durable-devtools time { color: var(--dd-muted); font-variant-numeric: tabular-nums; }
.durable-devtools [data-status]::before { content: ''; display: inline-block; width: 8px; height: 8px; margin-right: 7px; border-radius: 50%; background: var(--dd-muted); }
.durable-devtools [data-status=streaming]::before { background: var(--dd-accent); }
.durable-devtools [data-status=complete]::before { background: var(--dd-ok); }
.durable-devtools :is([data-status=creating], [data-status=reconnecting])::before { background: var(--dd-warn); }
.durable-devtools :is([data-status=failed], [data-status=expired])::before { background: var(--dd-bad); }
`;

/**
 * Adds the style sheet of the panel to the page while a component is mounted. A constructed style sheet works under any
 * Content-Security-Policy. Without support for it, the panel has no style.
 */
export function useStyles(): void {
  useInsertionEffect(() => {
    if (!('adoptedStyleSheets' in document) || typeof CSSStyleSheet !== 'function') return undefined;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    return () => {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== sheet);
    };
  }, []);
}
