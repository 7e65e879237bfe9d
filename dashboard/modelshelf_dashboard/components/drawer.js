export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('section')
  el.append(root)
  const chip = (c) => `<span class="chip ${esc(c.tone || '')}">${esc(c.text)}</span>`
  const memory = (fit) => {
    if (!fit.memory?.length) return ''
    const told = fit.memory.map((m) => [m.label, m.told].join(' ')).join(', ')
    return `<div class="memory" role="img" aria-label="${esc(`${w.memory}: ${told}`)}">${fit.memory.map((m) => `<i style="flex:${Number(m.share)};background:var(--ms-${esc(m.colour)})"></i>`).join('')}</div>
      <div class="legend">${fit.memory.map((m) => `<span><i style="background:var(--ms-${esc(m.colour)})"></i>${esc(m.label)} ${esc(m.told)}</span>`).join('')}</div>`
  }
  const fit = (f) => `<h3>${esc(w.here)}</h3><div class="pair"><span>${scoreOf(f.score)}</span><small>${esc(f.how)}</small></div><p data-help="compatibilityScore">${esc(f.sentence)}</p>${memory(f)}`
  const fix = (f) => `<div class="fix"><span>${esc(f.text)}${f.effect ? `<br><small>${esc(f.effect)}</small>` : ''}</span>${f.action ? button(f.action) : ''}</div>`
  const note = (n) => `<div class="box ${esc(n.tone)}"><b>${esc(n.text)}</b>${(n.lines || []).map((line) => `<p>${esc(line)}</p>`).join('')}${n.link ? `<p><a href="${esc(n.link.url)}" target="_blank" rel="noopener noreferrer" data-help="gatedModels">${esc(n.link.word)}</a></p>` : ''}</div>`
  const pair = (p) => `<div class="pair tall"><span>${esc(p.title)}${p.sub ? `<br><small>${esc(p.sub)}</small>` : ''}</span><span>${scoreOf(p.score)}</span></div>`
  const file = (f) => `<div class="file ${f.best ? 'strong' : ''}"><span>${esc(f.title)}${f.best ? ` · ${esc(w.best)}` : ''}</span><span class="figure muted">${esc(f.size)}</span><span class="figure">${scoreOf(f.score)}</span><span>${f.action ? button(f.action, `data-file="${esc(f.title)}"`) : ''}</span></div>`
  const files = (items) => items?.length ? `<h3>${esc(w.files)}</h3><div class="files">${items.map(file).join('')}</div>` : ''
  const list = (title, items, draw) => items?.length ? `<h3>${esc(title)}</h3>${items.map(draw).join('')}` : ''
  const whole = (m) => `
    <h2>${esc(m.title)}</h2><div class="muted">${esc(m.sub)}</div>
    ${m.chips?.length ? `<p class="chips">${m.chips.map(chip).join('')}</p>` : ''}
    ${(m.notes || []).map(note).join('')}
    ${m.fit ? fit(m.fit) : ''}${m.fix ? fix(m.fix) : ''}
    ${list(w.works, m.providers, pair)}${files(m.files)}
    ${m.pending ? '<div class="ghosts" aria-hidden="true"><i></i><i></i><i></i></div>' : ''}
    ${m.actions?.length ? `<div class="actions">${m.actions.map((a) => button(a)).join('')}</div>` : ''}`
  let actions = []
  const collect = (m) => [...(m.actions || []), ...(m.files || []).map((f) => f.action).filter(Boolean), m.fix?.action].filter(Boolean)
  let before = ''
  const draw = () => {
    root.setAttribute('aria-busy', model.state === 'loading')
    let html
    if (model.state === 'loading') html = `<h2>${esc(model.shown.title || '')}</h2><p class="hidden" role="status">${esc(w.loading)}</p><div class="ghosts" aria-hidden="true"><i></i><i></i><i></i><i></i><i></i></div>`
    else if (model.state === 'error') html = `<h2>${esc(model.shown.title || '')}</h2><div class="box bad" role="alert"><b>${esc(model.note.text)}</b><p>${esc(model.note.remedy)}</p>${model.note.action ? button(model.note.action) : ''}</div>`
    else html = whole(model.shown)
    actions = collect(model.shown)
    if (html === before) return
    const at = root.getRootNode().activeElement, held = at && root.contains(at) ? at.dataset.do : null
    root.innerHTML = before = html
    if (held) root.querySelector(`[data-do="${CSS.escape(held)}"]`)?.focus()
  }
  const act = (b) => {
    const action = (b.dataset.file ? model.shown.files.find((f) => f.title === b.dataset.file)?.action : actions.find((a) => a.do === b.dataset.do)) ?? {}
    if (b.dataset.do.startsWith('navigate-to-')) announce(b.dataset.do, action.context ?? {})
    else model.send_msg({do: b.dataset.do, context: action.context ?? {}})
  }
  root.onclick = (event) => { const b = event.target.closest('[data-do]'); if (b) act(b) }
  keepPresses(root, (b) => `${b.dataset.do} ${b.dataset.file ?? ''}`, act, '[data-do]')
  model.on(['shown', 'state', 'note'], draw)
  draw()
}
