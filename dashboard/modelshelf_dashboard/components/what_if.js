const PATIENT = 2000 // ms: an answer that has not come by then is not waited for

export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement(model.folded ? 'details' : 'section')
  root.className = 'what-if'
  el.append(root)
  const id = `w${Math.random().toString(36).slice(2)}`
  let n = 0, heard = 0, sent = 0, due = false, slot = ''
  const slider = (name, count, at) => `<div class="control"><label for="${id}-${name}">${esc(w[name])}</label><output for="${id}-${name}"></output><input type="range" id="${id}-${name}" name="${name}" min="0" max="${count - 1}" step="1" value="${at}" data-help="whatIf"></div>`
  const control = (name) => root.querySelector(`[name=${name}]`)
  const choices = {
    context: () => model.offer.contexts,
    kv: () => model.offer.kvs,
    slots: () => Array.from({length: model.offer.slots_most}, (_, i) => i + 1),
  }
  const value = (name) => choices[name]()[Number(control(name).value)]
  const place = (name, wanted) => Math.max(0, choices[name]().indexOf(wanted))
  const machines = () => {
    const list = control('machine'), at = list.value || model.offer.machine
    list.innerHTML = model.offer.machines.map((m) => `<option value="${esc(m.value)}">${esc(m.label)}</option>`).join('') + `<option value="other">${esc(w.other)}</option>`
    list.value = model.offer.machines.some((m) => m.value === at) ? at : model.offer.machine
  }
  const say = () => {
    for (const name of ['context', 'kv', 'slots']) {
      const input = control(name), told = name === 'context' ? fill(w.tokens, {n: value(name).toLocaleString()}) : name === 'kv' ? w.kvs[value(name)] ?? value(name) : String(value(name))
      root.querySelector(`output[for=${id}-${name}]`).textContent = told
      input.setAttribute('aria-valuetext', told)
      input.style.setProperty('--at', `${input.max > 0 ? input.value / input.max * 100 : 0}%`)
    }
  }
  const show = (a) => {
    const html = `<div class="says">${scoreOf(a.score)}<b>${esc(a.verdict)}</b><small>${esc(a.changed ? fill(w.before, {n: a.before}) : w.same)}</small></div>
      ${a.sentence ? `<p>${esc(a.sentence)}</p>` : ''}${memoryOf(a.memory, w)}<dl>${(a.rows || []).map((r) => `<dt>${esc(r.name)}</dt><dd>${esc(r.value)}</dd>`).join('')}</dl>`
    root.querySelector('.answer').innerHTML = html
    const use = root.querySelector('.use'), drawn = a.use ? button(a.use, a.use.off ? 'disabled' : '') + (a.use.why ? `<small>${esc(a.use.why)}</small>` : '') : ''
    if (drawn === slot) return
    use.innerHTML = slot = drawn
  }
  // One question is under way at a time, and the next has the latest values: a hand is faster than any network.
  const ask = () => {
    if (sent && heard < n && performance.now() - sent < PATIENT) { due = true; return }
    due = false
    n += 1
    sent = performance.now()
    model.send_msg({do: 'try', n, context: value('context'), kv: value('kv'), slots: value('slots'), machine: control('machine').value})
  }
  const draw = () => {
    const o = model.offer
    root.hidden = !o.contexts
    if (root.hidden) { root.innerHTML = ''; return }
    const heading = model.folded ? `<summary data-help="whatIf"><h3>${esc(w.what_if)}</h3></summary>` : `<h2>${esc(w.what_if)}${model.title ? `<small> ${esc(model.title)}</small>` : ''}</h2>`
    slot = ''
    root.innerHTML = `${heading}<div class="both"><div class="controls">
      ${slider('context', o.contexts.length, place('context', o.context))}${slider('kv', o.kvs.length, place('kv', o.kv))}${slider('slots', o.slots_most, place('slots', o.slots))}
      <div class="control"><label for="${id}-machine">${esc(w.machine)}</label><select id="${id}-machine" name="machine" data-help="whatIf"></select></div>
      <form class="other" hidden><input name="text" aria-label="${esc(w.describe)}" placeholder="${esc(w.describe)}" maxlength="200" autocomplete="off" spellcheck="false" data-help="whatIf"><button type="submit" data-help="whatIf">${esc(w.look)}</button></form><p class="wrong" role="alert" hidden></p>
      </div><div class="found"><div class="answer" role="status"></div><div class="use"></div></div></div>`
    machines(); say(); show(model.answer)
    root.querySelector('.other').onsubmit = (event) => { event.preventDefault(); if (control('text').value.trim()) model.send_msg({do: 'machine', text: control('text').value}) }
  }
  root.oninput = (event) => {
    if (event.target.name === 'text') return
    const other = control('machine').value === 'other'
    root.querySelector('.other').hidden = !other
    root.querySelector('.wrong').hidden = true
    say()
    if (other) { if (event.target.name === 'machine') control('text').focus() } else ask()
  }
  root.onclick = (event) => { if (event.target.closest('[data-do=use]')) model.send_msg({do: 'use'}) }
  keepPresses(root, (b) => b.dataset.do, () => model.send_msg({do: 'use'}), '[data-do=use]')
  model.on('msg:custom', (told) => {
    if (!model.offer.contexts) return
    if (told.wrong) { const place = root.querySelector('.wrong'); place.hidden = false; place.textContent = told.wrong; return }
    if (told.machine) { const list = control('machine'); if (![...list.options].some((o) => o.value === told.machine.value)) list.add(new Option(told.machine.label, told.machine.value), list.options.length - 1); list.value = told.machine.value; root.querySelector('.other').hidden = true; list.focus(); return ask() }
    if (told.n === undefined || told.n <= heard) return
    heard = told.n
    show(told.answer)
    root.dataset.took = (performance.now() - sent).toFixed(1)
    if (due) ask()
  })
  model.on(['offer', 'answer'], draw)
  draw()
}
