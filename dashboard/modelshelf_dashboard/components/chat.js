export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('section')
  root.className = 'talk'
  root.innerHTML = `
    <header><div><h2></h2><small></small></div><label class="compare"><span>${esc(w.compare)}</span><select data-help="compareModels"></select></label><button type="button" class="alone" data-do="alone" data-help="compareModels" aria-label="${esc(w.alone)}">✕</button></header>
    <div class="log" role="log" aria-label="${esc(w.log)}" tabindex="0" data-help="tryIt"></div>
    <form><textarea rows="2" aria-label="${esc(w.ask)}" placeholder="${esc(w.ask)}" data-help="tryIt"></textarea>
    <div class="buttons"><button type="button" class="link" data-do="clear" data-help="tryIt">${esc(w.clear)}</button><span></span><button type="button" data-do="stop" data-help="tryIt" hidden>${esc(w.stop)}</button><button type="submit" class="primary" data-help="tryIt">${esc(w.send)}</button></div></form>`
  el.append(root)
  const $ = (selector) => root.querySelector(selector)
  const log = $('.log'), box = $('textarea')
  const bubble = (turn, extra = '') => `<div class="turn ${esc(turn.role)} ${extra}"><span class="who">${esc(w[turn.role] ?? turn.role)}</span><div class="text ${esc(turn.tone || '')}">${esc(turn.text)}</div>${turn.note ? `<small>${esc(turn.note)}</small>` : ''}</div>`
  const bottom = () => { log.scrollTop = log.scrollHeight }
  const draw = () => {
    log.innerHTML = model.turns.map((turn) => bubble(turn)).join('') || (model.busy ? '' : `<p class="muted">${esc(w.hint)}</p>`)
    if (model.busy) log.insertAdjacentHTML('beforeend', bubble({role: 'assistant', text: ''}, 'live'))
    grow()
    $('[data-do=stop]').hidden = !model.busy
    $('[type=submit]').hidden = model.busy
    $('[data-do=clear]').hidden = !model.turns.length || model.busy
  }
  const grow = () => {
    const text = log.querySelector('.live .text')
    if (text) { text.textContent = model.live || model.waiting; text.classList.toggle('muted', !model.live) }
    bottom()
  }
  const against = () => {
    const select = $('.compare select')
    $('.compare').hidden = model.mute || model.others.length < 2
    $('.alone').hidden = !model.mute
    $('form').hidden = model.mute
    root.classList.toggle('half', model.half)
    el.classList.toggle('half', model.half)
    select.innerHTML = [{value: '', label: w.nobody}, ...model.others].map((o) => `<option value="${esc(o.value)}" ${o.value === model.beside ? 'selected' : ''}>${esc(o.label)}</option>`).join('')
  }
  $('.compare select').onchange = (event) => model.send_msg({do: 'beside', model: event.target.value})
  const head = () => { $('h2').textContent = model.title; $('header small').textContent = model.subtitle }
  const send = () => {
    const text = box.value.trim()
    if (!text || model.busy) return
    box.value = ''
    model.send_msg({do: 'send', text})
  }
  $('form').onsubmit = (event) => { event.preventDefault(); send() }
  box.onkeydown = (event) => { if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); send() } }
  root.onclick = (event) => { const b = event.target.closest('[data-do]'); if (b) model.send_msg({do: b.dataset.do}) }
  model.on(['title', 'subtitle'], head)
  model.on(['turns', 'busy'], draw)
  model.on(['live', 'waiting'], grow)
  model.on(['others', 'beside', 'mute', 'half'], against)
  head(); against(); draw()
}
