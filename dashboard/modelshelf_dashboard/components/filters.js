export function render({model, el}) {
  adopt(model, el)
  const w = model.words, form = document.createElement('form')
  form.setAttribute('aria-label', w.label)
  el.append(form)
  const count = (n) => n >= 1e5 ? `${Math.round(n / 1e3).toLocaleString()} k` : n.toLocaleString()
  const choice = (c, topic) => `<label class="choice"><input type="checkbox" data-token="${esc(c.token)}"${help(topic)} ${c.on ? 'checked' : ''}><span>${esc(c.label)}</span><small class="figure">${c.count == null ? '' : count(c.count)}</small></label>`
  const select = (g) => `<select data-key="${esc(g.key)}" aria-label="${esc(g.title)}"${help(g.topic)}><option value="">${esc(w.any)}</option>${g.choices.map((c) => `<option value="${esc(c.token)}" ${c.on ? 'selected' : ''}>${esc(c.label)}${c.count == null ? '' : ` · ${count(c.count)}`}</option>`).join('')}</select>`
  const group = (g) => `<fieldset><legend>${esc(g.title)}</legend>${g.kind === 'select' ? select(g) : g.choices.map((c) => choice(c, g.topic)).join('')}</fieldset>`
  const item = (i) => `<div class="kept"><button type="button" class="plain" data-do="${esc(i.do)}" data-id="${esc(i.id)}" data-help="keptSearches" aria-pressed="${Boolean(i.on)}" title="${esc(i.title || '')}">${esc(i.label)}</button>${i.count ? `<small class="figure">${esc(i.count)}</small>` : ''}${i.fresh ? `<button type="button" class="plain fresh" data-do="fresh" data-id="${esc(i.id)}" data-help="keptSearches" aria-label="${esc(fill(w.fresh, {what: i.label}))}">${esc(i.fresh)}</button>` : ''}${i.removable ? `<button type="button" class="plain" data-do="forget" data-id="${esc(i.id)}" data-help="keptSearches" aria-label="${esc(fill(w.forget, {what: i.label}))}">×</button>` : ''}</div>`
  const nameOf = (node) => node.dataset.token ?? node.dataset.key ?? `${node.dataset.do} ${node.dataset.id ?? ''}`
  const draw = () => {
    const at = form.getRootNode().activeElement, held = at && form.contains(at) ? nameOf(at) : ''
    form.innerHTML = `
      <label class="switch"><span>${esc(w.fits)}<br><small>${esc(model.machine)}</small></span><small class="figure">${model.fitting == null ? '' : count(model.fitting)}</small><input type="checkbox" role="switch" data-token="is:fits" data-help="compatibilityScore" ${model.fits ? 'checked' : ''}></label>
      ${model.dirty ? `<p><button type="button" data-do="clear" data-help="searchFiltering">${esc(w.clear)}</button></p>` : ''}
      ${model.kept.map((k) => `<fieldset><legend>${esc(k.title)}</legend>${k.items.map(item).join('')}</fieldset>`).join('')}
      ${model.groups.map(group).join('')}
      ${model.foot.text ? `<p class="foot"><small>${esc(model.foot.text)}</small>${(model.foot.actions || []).map((a) => button(a)).join(' ')}</p>` : ''}`
    if (held) [...form.querySelectorAll('input,select,button')].find((node) => nameOf(node) === held)?.focus()
  }
  // Several of these change with every key that is pressed. One drawing does for all, once the rows have been seen: who
  // types waits for those.
  let due = false
  const soon = () => { if (!due) { due = true; requestAnimationFrame(() => setTimeout(() => { due = false; draw() })) } }
  form.onchange = (event) => {
    const at = event.target
    model.send_msg(at.dataset.key ? {do: 'choose', key: at.dataset.key, token: at.value} : {do: 'toggle', token: at.dataset.token, on: at.checked})
  }
  form.onclick = (event) => { const b = event.target.closest('button'); if (b) model.send_msg({do: b.dataset.do, id: b.dataset.id ?? ''}) }
  keepPresses(form, (node) => nameOf(node.querySelector?.('input') ?? node), (node) => node.click(), 'label,button')
  form.onsubmit = (event) => event.preventDefault()
  model.on(['machine', 'fits', 'fitting', 'groups', 'dirty', 'kept', 'foot'], soon)
  draw()
}
