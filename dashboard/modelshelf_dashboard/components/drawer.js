export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('section')
  root.innerHTML = '<div class="upper"></div><div class="child"></div><div class="lower"></div>'
  el.append(root)
  const upper = root.querySelector('.upper'), lower = root.querySelector('.lower'), child = model.get_child('what_if')
  if (child) root.querySelector('.child').append(child)
  const chip = (c) => `<span class="chip ${esc(c.tone || '')}">${esc(c.text)}</span>`
  const values = (items) => items?.length ? `<details><summary data-help="compatibilityScore">${esc(w.why)}</summary>${items.map((v) => `<div class="value"><span>${esc(v.label)}</span><span class="bar" aria-hidden="true"><i style="width:${Number(v.percent)}%;background:var(--ms-s${grade(v.percent)})"></i></span><span class="figure">${Number(v.percent)} %</span></div>`).join('')}</details>` : ''
  const fit = (f) => `<h3>${esc(f.where || w.here)}</h3><div class="pair now"><span>${scoreOf(f.score)} <b class="verdict">${esc(f.verdict)}</b></span><small>${esc(f.how)}</small></div><p data-help="compatibilityScore">${esc(f.sentence)}</p>${f.facts ? `<p>${esc(f.facts)}</p>` : ''}${memoryOf(f.memory, w)}${f.quality ? `<p class="muted">${esc(f.quality)}</p>` : ''}${values(f.values)}`
  const press = (a, i) => button(a, `data-place="${i}"`)
  const fix = (f, i) => `<li><span>${esc(f.text)}<small>${esc(w.becomes)} ${scoreOf(f.score)}</small></span>${f.action ? press(f.action, i) : ''}</li>`
  const fixes = (items) => items?.length ? `<ul class="fixes" aria-label="${esc(w.fixes)}">${items.map(fix).join('')}</ul>` : ''
  const note = (n) => `<div class="box ${esc(n.tone)}"><b>${esc(n.text)}</b>${(n.lines || []).map((line) => `<p>${esc(line)}</p>`).join('')}${n.link ? `<p><a href="${esc(n.link.url)}" target="_blank" rel="noopener noreferrer" data-help="gatedModels">${esc(n.link.word)}</a></p>` : ''}</div>`
  const named = (p) => p.id ? `<button type="button" class="choice" data-do="provider" data-id="${esc(p.id)}" data-help="compatibilityScore" aria-pressed="${Boolean(p.chosen)}">${esc(p.title)}</button>` : esc(p.title)
  const pair = (p) => `<div class="pair tall ${p.chosen ? 'chosen' : ''}"><span>${named(p)}${p.mark ? ` <span class="chip good" title="${esc(p.mark.tip)}">${esc(p.mark.text)}</span>` : ''}${p.sub ? `<br><small>${esc(p.sub)}</small>` : ''}</span><span>${p.id ? badge(p.score, p.id, p.title, w) : scoreOf(p.score)}${p.go ? ` <button type="button" class="go" data-do="settings" data-id="${esc(p.id)}" data-help="llmSettings" aria-label="${esc(fill(w.toProvider, {what: p.title}))}">${esc(w.open)}</button>` : ''}</span></div>`
  const file = (f, i) => `<div class="file ${f.best ? 'strong' : ''}"><span>${esc(f.title)}${f.best ? ` · ${esc(w.best)}` : ''}</span><span class="figure muted">${esc(f.size)}</span><span class="figure">${scoreOf(f.score)}</span><span>${f.action ? press(f.action, i) : ''}</span></div>`
  const use = (u, i) => `<div class="pair tall use"><span>${esc(u.title)}${u.file ? ` <small class="figure">${esc(u.file)}</small>` : ''}<br><small class="${esc(u.tone || 'muted')}">${esc(u.sub)}</small></span>${u.action ? press(u.action, i) : ''}${u.command ? `<code>${esc(u.command)}</code>` : ''}</div>`
  const uses = (m) => m.where?.length ? `<h3>${esc(w.where)}</h3>${m.where.map(use).join('')}${m.commands?.length ? `<details><summary data-help="registration">${esc(w.commands)}</summary>${m.commands.map((c) => `<p><small>${esc(c.name)}</small><code>${esc(c.text)}</code></p>`).join('')}</details>` : ''}` : ''
  const files = (items) => items?.length ? `<h3>${esc(w.files)}</h3><div class="files">${items.map(file).join('')}</div>` : ''
  const list = (title, items, draw) => items?.length ? `<h3>${esc(title)}</h3>${items.map(draw).join('')}` : ''
  const link = (i) => `<div class="pair"><button type="button" class="choice" data-do="go" data-id="${esc(i.id)}" data-help="modelLibrary"><bdi>${esc(i.title)}</bdi></button>${i.sub ? `<small>${esc(i.sub)}</small>` : ''}</div>`
  const commit = (c) => `<div class="pair tall"><span>${esc(c.title)}${c.mark ? ` <span class="chip good">${esc(c.mark)}</span>` : ''}<br><small>${esc(c.sub)}</small></span></div>`
  const commits = (c) => c?.items?.length ? `<details><summary data-help="modelLibrary">${esc(w.commits)} · ${c.items.length}${c.more ? '+' : ''}</summary>${c.items.map(commit).join('')}${c.more ? `<p class="muted">${esc(c.more)}</p>` : ''}${c.link?.url ? `<p><a href="${esc(c.link.url)}" target="_blank" rel="noopener noreferrer" data-help="modelLibrary">${esc(c.link.word)}</a></p>` : ''}</details>` : ''
  const around = (m) => `
    ${m.facts?.length ? `<h3>${esc(w.facts)}</h3><dl class="facts">${m.facts.map((f) => `<dt>${esc(f.name)}</dt><dd>${esc(f.value)}</dd>`).join('')}</dl>` : ''}
    ${commits(m.commits)}
    ${(m.lists || []).map((l) => list(l.title, l.items, link)).join('')}
    ${m.card ? `<details><summary data-help="modelLibrary">${esc(w.card)}</summary><div class="card">${m.card}</div></details>` : ''}`
  const first = (m) => `
    <h2><bdi>${esc(m.title)}</bdi></h2><div class="muted">${esc(m.sub)}</div>
    ${m.chips?.length || m.shield ? `<p class="chips">${(m.chips || []).map(chip).join('')}${shieldOf(m.shield, m.title)}</p>` : ''}
    ${(m.notes || []).map(note).join('')}
    ${m.fit ? fit(m.fit) : ''}${fixes(m.fixes)}`
  const second = (m) => `
    ${list(w.works, m.providers, pair)}${uses(m)}${files(m.files)}
    ${m.pending ? '<div class="ghosts" aria-hidden="true"><i></i><i></i><i></i></div>' : ''}
    ${around(m)}
    ${m.actions?.length ? `<div class="actions">${m.actions.map((a) => button(a)).join('')}</div>` : ''}`
  const before = new Map(), name = (b) => [b.dataset.do, b.dataset.place, b.dataset.id].join(' ')
  // Only what differs is drawn anew, and what had the focus, or was open, stays so.
  const put = (place, html) => {
    if (before.get(place) === html) return
    before.set(place, html)
    const at = root.getRootNode().activeElement, held = at && place.contains(at) && at.dataset.do ? name(at) : null
    const opened = [...place.querySelectorAll('details')].map((one) => one.open)
    place.innerHTML = html
    place.querySelectorAll('details').forEach((one, i) => { one.open = opened[i] ?? false })
    if (held) [...place.querySelectorAll('[data-do]')].find((b) => name(b) === held)?.focus()
  }
  const draw = () => {
    root.setAttribute('aria-busy', model.state === 'loading')
    const ready = model.state === 'ready', title = `<h2><bdi>${esc(model.shown.title || '')}</bdi></h2>`
    root.querySelector('.child').hidden = !ready || model.shown.pending
    if (model.state === 'loading') put(upper, `${title}<p class="hidden" role="status">${esc(w.loading)}</p><div class="ghosts" aria-hidden="true"><i></i><i></i><i></i><i></i><i></i></div>`)
    else if (model.state === 'error') put(upper, `${title}<div class="box bad" role="alert"><b>${esc(model.note.text)}</b><p>${esc(model.note.remedy)}</p>${model.note.action ? button(model.note.action) : ''}</div>`)
    else put(upper, first(model.shown))
    put(lower, ready ? second(model.shown) : '')
    explain.again()
  }
  const lists = {fix: 'fixes', get: 'files', use: 'where', unuse: 'where'}
  const tell = (action) => {
    if (action.do.startsWith('navigate-to-')) announce(action.do, action.context ?? {})
    else model.send_msg({do: action.do, context: action.context ?? {}})
  }
  const act = (b) => {
    const m = model.shown, known = lists[b.dataset.do]
    if (b.dataset.do === 'explain') explain.ask(b.dataset.badge)
    else if (b.dataset.do === 'go') model.send_msg({do: 'go', id: b.dataset.id, context: {}})
    else if (b.dataset.do === 'settings') announce('navigate-to-llm-settings', m.providers?.find((p) => p.id === b.dataset.id)?.go ?? {})
    else if (b.dataset.do === 'provider') model.send_msg({do: 'provider', id: b.dataset.id, context: {}})
    else tell((known ? m[known]?.[b.dataset.place]?.action : m.actions?.find((a) => a.do === b.dataset.do)) ?? {do: b.dataset.do})
  }
  const explain = explainer(model, el, lower, tell)
  root.onclick = (event) => { const b = event.target.closest('[data-do]'); if (b) act(b) }
  keepPresses(root, (b) => `${name(b)} ${b.dataset.badge ?? ''}`, act, '[data-do]')
  model.on(['shown', 'state', 'note'], draw)
  draw()
}
