// What stands over a list at its right, and the pages below it.
const toolOf = (t, w) => {
  if (t.kind === 'choice') return `<label class="tool"><span>${esc(t.label)}</span><select data-tool="${esc(t.key)}" data-help="searchFiltering">${t.options.map((o) => `<option value="${esc(o.value)}" ${o.value === t.value ? 'selected' : ''}>${esc(o.label)}</option>`).join('')}</select></label>`
  if (t.kind === 'columns') return `<button type="button" class="link" data-tool="columns" data-help="searchFiltering" aria-haspopup="true" aria-expanded="false">${esc(t.label)}</button>`
  return `<button type="button" class="link" data-tool="${esc(t.key)}"${help(t.help)}>${esc(t.label)}</button>`
}
const pagerOf = (p, w) => {
  if (!p.total || (p.total <= p.size && !p.offset)) return ''
  const first = p.offset + 1, last = Math.min(p.offset + p.size, p.total)
  return `<button type="button" data-page="${Math.max(0, p.offset - p.size)}" data-help="modelList" ${p.offset ? '' : 'disabled'}>${esc(w.before)}</button><span>${esc(fill(w.pages, {first: first.toLocaleString(), last: last.toLocaleString(), total: p.total.toLocaleString()}))}</span><button type="button" data-page="${p.offset + p.size}" data-help="modelList" ${last < p.total ? '' : 'disabled'}>${esc(w.after)}</button>`
}
// Which columns a person wants is kept in the browser, under the person's name.
const columnsKept = (model) => {
  const key = `modelshelf columns ${model.keeps}`
  const usual = () => model.columns.filter((c) => c.off).map((c) => c.key)
  const read = () => { try { return JSON.parse(localStorage.getItem(key)) ?? usual() } catch { return usual() } }
  let off = null
  return {
    shown: () => { off ??= model.keeps ? read() : usual(); return model.columns.filter((c) => !off.includes(c.key)) },
    toggle: (name, on) => {
      off = on ? off.filter((one) => one !== name) : [...off, name]
      try { localStorage.setItem(key, JSON.stringify(off)) } catch { /* it holds until the page is left */ }
    },
  }
}
