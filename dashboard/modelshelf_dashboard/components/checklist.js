export function render({model, el}) {
  adopt(model, el)
  const root = document.createElement('section')
  root.innerHTML = '<div class="line"><div><h2></h2><p class="said" role="status"></p></div><div class="buttons"></div></div><div class="options" hidden></div><div class="track" role="progressbar" aria-valuemin="0" aria-valuemax="100" hidden><i></i></div><div class="groups"></div>'
  el.append(root)
  const part = (name) => root.querySelector(name)
  const nameOf = (node) => `${node.dataset.do} ${node.dataset.id ?? ''}`
  const put = (place, html) => {
    if (place.drawn !== html) {
      const at = place.getRootNode().activeElement, held = at && place.contains(at) ? nameOf(at) : ''
      place.drawn = html
      place.innerHTML = html
      if (held) [...place.querySelectorAll('button,input')].find((node) => nameOf(node) === held)?.focus()
    }
    place.hidden = !html
  }
  const option = (o, topic) => `<label title="${esc(o.why || '')}"><input type="checkbox" data-do="option" data-id="${esc(o.id)}"${help(topic)} ${o.on ? 'checked' : ''} ${o.off ? 'disabled' : ''}> ${esc(o.label)}</label>`
  const row = (r, g, n) => `<li><span class="sign ${esc(r.tone)}"><i class="dot ${esc(r.tone)}" aria-hidden="true"></i> ${esc(r.word)}</span><span class="what"><b>${esc(r.name)}</b>${r.text ? `<small>${esc(r.text)}</small>` : ''}${r.remedy ? `<small class="remedy">${esc(r.remedy)}</small>` : ''}</span><span class="figure">${esc(r.figure || '')}</span>${r.action ? button(r.action, `data-id="${g} ${n}"`) : ''}</li>`
  const group = (g, number) => `${g.title ? `<h3>${esc(g.title)}</h3>` : ''}<ul>${g.rows.map((r, n) => row(r, number, n)).join('')}</ul>`
  const draw = () => {
    const m = model.shown, bar = part('.track')
    root.className = m.tone || ''
    root.setAttribute('aria-label', m.title || '')
    root.setAttribute('aria-busy', m.busy ? 'true' : 'false')
    part('h2').textContent = m.title || ''
    part('.said').textContent = m.text || ''
    put(part('.buttons'), (m.actions || []).map((a) => button({help: m.help, ...a}, 'data-id=""')).join(''))
    put(part('.options'), (m.options || []).map((o) => option(o, m.help)).join(''))
    bar.hidden = m.share == null
    bar.setAttribute('aria-label', `${m.title}: ${model.words.progress}`)
    bar.setAttribute('aria-valuenow', m.share ?? 0)
    bar.firstChild.style.width = `${m.share ?? 0}%`
    put(part('.groups'), (m.groups || []).map(group).join(''))
  }
  const act = (b) => {
    if (isWithheld(b)) return
    const [g, n] = (b.dataset.id || '').split(' ')
    const action = n == null ? model.shown.actions.find((a) => a.do === b.dataset.do) : model.shown.groups[g].rows[n].action
    if (b.dataset.do.startsWith('navigate-to-')) announce(b.dataset.do, action.context ?? {})
    else model.send_msg({do: b.dataset.do, id: action.id ?? '', context: action.context ?? {}})
  }
  root.onclick = (event) => { const b = event.target.closest('button'); if (b) act(b) }
  root.onchange = (event) => model.send_msg({do: 'option', id: event.target.dataset.id, on: event.target.checked})
  keepPresses(root, nameOf, act)
  model.on('msg:custom', (message) => { if (message.save) keepFile(message.save) })
  model.on('shown', draw)
  draw()
}
