export function render({model, el}) {
  adopt(model, el)
  const w = model.words, form = document.createElement('form')
  form.setAttribute('aria-label', w.label)
  el.append(form)
  const choice = (c, topic) => `<label class="choice"><input type="checkbox" data-token="${esc(c.token)}"${help(topic)} ${c.on ? 'checked' : ''}><span>${esc(c.label)}</span><small class="figure">${c.count == null ? '' : c.count.toLocaleString()}</small></label>`
  const draw = () => {
    const at = form.getRootNode().activeElement?.dataset.token
    form.innerHTML = `
      <label class="switch"><span>${esc(w.fits)}<br><small>${esc(model.machine)}</small></span><input type="checkbox" role="switch" data-token="is:fits" data-help="compatibilityScore" ${model.fits ? 'checked' : ''}></label>
      ${model.groups.map((g) => `<fieldset><legend>${esc(g.title)}</legend>${g.choices.map((c) => choice(c, g.topic)).join('')}</fieldset>`).join('')}
      ${model.dirty ? `<p><button type="button" data-do="clear" data-help="searchFiltering">${esc(w.clear)}</button></p>` : ''}`
    if (at) form.querySelector(`[data-token="${CSS.escape(at)}"]`)?.focus()
  }
  form.onchange = (event) => model.send_msg({do: 'toggle', token: event.target.dataset.token, on: event.target.checked})
  form.onclick = (event) => { if (event.target.dataset.do === 'clear') model.send_msg({do: 'clear'}) }
  keepPresses(form, (node) => node.querySelector('input')?.dataset.token ?? node.dataset.do, (node) => node.click(), 'label,button')
  form.onsubmit = (event) => event.preventDefault()
  model.on(['machine', 'fits', 'groups', 'dirty'], draw)
  draw()
}
