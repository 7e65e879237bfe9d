// What all components share. Every text that came from outside goes through esc() before it becomes markup.
const esc = (text) => String(text ?? '').replace(/[&<>"']/g, (c) => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'})[c])
const grade = (score) => (score >= 85 ? 4 : score >= 65 ? 3 : score >= 40 ? 2 : 1)
const scoreOf = (score) => score == null ? '<span class="score none">—</span>'
  : `<span class="score" style="color:var(--ms-f${grade(score)})">${score}</span><span class="bar" aria-hidden="true"><i style="width:${score}%;background:var(--ms-s${grade(score)})"></i></span>`

// Files and rates in powers of ten, as disks and the Hub show them.
const bytes = (n) => n >= 1e8 ? `${(n / 1e9).toFixed(1)} GB` : n >= 1e5 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e3).toFixed(1)} kB`
const parts = (done, total) => {
  const [unit, name] = total >= 1e8 ? [1e9, 'GB'] : total >= 1e5 ? [1e6, 'MB'] : [1e3, 'kB']
  return [(done / unit).toFixed(1), `${(total / unit).toFixed(1)} ${name}`]
}
const rateOf = (n) => `${(n / 1e6).toFixed(1)} MB/s`
const spanOf = (seconds) => seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`
const fill = (text, figures) => text.replace(/\{(\w+)\}/g, (whole, name) => name in figures ? figures[name] : whole)
const when = (moment) => {
  const then = new Date(moment), today = then.toDateString() === new Date().toDateString()
  const clock = then.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'})
  return today ? clock : `${then.toLocaleDateString([], {day: 'numeric', month: 'short', year: 'numeric'})}, ${clock}`
}

const help = (key) => key ? ` data-help="${esc(key)}"` : ''
// What may not be pressed says why: it can be reached and read all the same.
const withheld = (why) => why ? `aria-disabled="true" title="${esc(why)}"` : ''
const button = (a, extra = '') => `<button type="button" class="${esc(a.kind || '')}" data-do="${esc(a.do)}"${help(a.help)} ${a.label ? `aria-label="${esc(a.label)}"` : ''} ${withheld(a.why)} ${extra}>${esc(a.word)}</button>`
const isWithheld = (node) => node?.getAttribute('aria-disabled') === 'true'

// How a model or a file stands with the scanner: a sign and a word, and a sentence when it is asked.
const SIGNS = {pass: 'M6.6 9.9l2.4 2.4 4.4-4.8', accepted: 'M6.6 9.9l2.4 2.4 4.4-4.8M4.5 17.6h11', review: 'M10 5.8v5.2M10 13.5v.3', block: 'M7.3 7.1l5.4 5.4M12.7 7.1l-5.4 5.4', unseen: 'M6.6 9.6v.3M10 9.6v.3M13.4 9.6v.3', looked: 'M6.8 9.6h6.4'}
const signOf = (kind) => `<svg class="sign" viewBox="0 0 20 20" width="15" height="15" aria-hidden="true"><path d="M10 1.6 17 4v5.4c0 4.2-2.8 7.1-7 8.8-4.2-1.7-7-4.6-7-8.8V4z"${kind === 'unseen' ? ' stroke-dasharray="2.6 2"' : ''}/><path d="${SIGNS[kind] ?? SIGNS.unseen}"/></svg>`
const shieldWord = (s) => `<span class="shield ${esc(s.kind)}" title="${esc(s.tip)}">${signOf(s.kind)}${esc(s.word)}</span>`
const shieldOf = (s, what) => !s ? '' : `<button type="button" class="shield ${esc(s.kind)}" data-do="shield" data-help="verdicts" aria-haspopup="dialog" title="${esc(s.tip)}" aria-label="${esc(s.word)}: ${esc(what)}. ${esc(s.tip)}">${signOf(s.kind)}${esc(s.word)}</button>`

// A notebook has a theme of its own, which its body names, and its keyboard is its own but for what is pressed in here.
const inNotebook = () => 'jpThemeLight' in document.body.dataset
const outermost = (el) => { let node = el; while (node.getRootNode() instanceof ShadowRoot) node = node.getRootNode().host; return node }
const ours = (event, el) => !inNotebook() || event.composedPath().includes(outermost(el))
const wear = (el) => { (el.getRootNode().host ?? el).style.colorScheme = document.body.dataset.jpThemeLight === 'false' ? 'dark' : 'light' }

// Called first by every component, each time it is drawn. What the drawing before listened to is let go.
const drawings = new WeakMap()
const adopt = (model, el) => {
  drawings.get(model)?.abort()
  drawings.set(model, new AbortController())
  model.on('remove', () => drawings.get(model)?.abort())
  if (!inNotebook()) return
  wear(el)
  requestAnimationFrame(() => { outermost(el).dataset.lmSuppressShortcuts = '' }) // once it stands in the document
  const theme = new MutationObserver(() => wear(el))
  theme.observe(document.body, {attributeFilter: ['data-jp-theme-light']})
  drawings.get(model).signal.addEventListener('abort', () => theme.disconnect())
}
const typing = (event) => {
  const at = event.composedPath()[0]
  return at.isContentEditable || (/^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName || '') && !/^(checkbox|range)$/.test(at.type))
}
const shown = (el) => el.isConnected && el.getClientRects().length !== 0
// Listeners on window or document end with the component.
const listen = (model, target, name, hear, capture = false) => target.addEventListener(name, hear, {signal: drawings.get(model).signal, capture})
const announce = (name, detail) => window.dispatchEvent(new CustomEvent(name, {detail}))

// A file for the person to keep, made in the browser: it works where there is no server, too.
const keepFile = ({name, text, base64, type}) => {
  const link = document.createElement('a')
  const data = base64 == null ? text : Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
  link.href = URL.createObjectURL(new Blob([data], {type}))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

// What is pressed counts, though it is drawn anew before the button is up: no click comes then. `name` says of a
// control which one it is, in words that its next drawing has too; `act` does what a click on it would have done.
const keepPresses = (root, name, act, control = 'button') => {
  let down = null
  root.addEventListener('pointerdown', (event) => {
    const node = event.button === 0 && event.target.closest(control)
    down = node && root.contains(node) ? {target: event.target, name: name(node)} : null
  })
  root.addEventListener('pointerup', () => {
    const pressed = down
    down = null
    if (!pressed || pressed.target.isConnected) return
    const again = [...root.querySelectorAll(control)].find((node) => name(node) === pressed.name)
    if (again) act(again)
  })
}
