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
// Which columns a person wants is kept by the server for every browser; one that asked before is answered by what it
// kept itself, so that nothing moves while the server looks.
const columnsKept = (model) => {
  const key = `modelshelf columns ${model.keeps}`
  const usual = () => model.columns.filter((c) => c.off).map((c) => c.key)
  const read = () => { try { const kept = JSON.parse(localStorage.getItem(key)); return Array.isArray(kept) ? kept : usual() } catch { return usual() } }
  const write = (off) => { try { localStorage.setItem(key, JSON.stringify(off)) } catch { /* the server keeps it */ } }
  let mine = null  // what was chosen on this page: the server's answer comes later
  const off = () => mine ?? model.omitted ?? (model.keeps ? read() : usual())
  return {
    shown: () => { const hidden = off(); return model.columns.filter((c) => !hidden.includes(c.key)) },
    toggle: (name, on) => {
      mine = on ? off().filter((one) => one !== name) : [...off(), name]
      if (model.keeps) { write(mine); model.send_msg({do: 'columns', id: '', context: {off: mine}}) }
    },
  }
}
