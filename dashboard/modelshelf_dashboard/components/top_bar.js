export function render({model, el}) {
  adopt(model, el)
  const w = model.words, root = document.createElement('div')
  root.className = 'top' + (model.embedded ? ' embedded' : '')
  root.innerHTML = `
    <a class="brand" href="./" aria-label="Modelshelf"><svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true"><rect width="4.5" height="18" rx="1.5" fill="var(--ms-s4)"/><rect x="6.5" width="4.5" height="18" rx="1.5" fill="var(--ms-s2)"/><rect x="13" width="5" height="18" rx="1.5" fill="var(--ms-s1)"/></svg><h1>Modelshelf</h1></a>
    <div role="tablist" class="tabs" aria-label="${esc(w.views)}">${['library', 'settings'].map((key) =>
      `<button type="button" role="tab" class="tab" data-tab="${key}" data-help="${key === 'library' ? 'modelLibrary' : 'llmSettings'}">${esc(w[key])}</button>`).join('')}</div>
    <span class="grow"></span>
    <button type="button" class="pill providers" data-do="providers" data-help="providerHealth" hidden></button>
    <button type="button" class="pill downloads" data-do="downloads" data-help="downloadProcess" hidden></button>
    <button type="button" class="icon bell" data-do="news" data-help="news"></button>
    ${model.embedded ? '' : `<button type="button" class="icon" data-do="theme" data-help="theme" aria-label="${esc(w.theme)}"><svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" stroke-width="1.4"/><path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentColor"/></svg></button>`}
    <button type="button" class="icon" data-do="help" data-help="help" aria-label="${esc(w.help)}">?</button>`
  el.append(root)
  const $ = (selector) => root.querySelector(selector)
  const saved = () => { try { return localStorage.getItem('modelshelf-theme') } catch { return null } }
  const turn = (dark) => {
    model.dark = dark
    document.documentElement.dataset.ms = dark ? 'dark' : 'light'
    $('[data-do=theme]').setAttribute('aria-pressed', dark)
  }
  if (!model.embedded) {
    const wanted = saved() ?? model.theme
    turn(wanted === 'dark' || (wanted === 'system' && matchMedia('(prefers-color-scheme: dark)').matches))
  }
  const mark = () => root.querySelectorAll('.tab').forEach((tab) => {
    const on = tab.dataset.tab === model.tab
    tab.setAttribute('aria-selected', on)
    tab.tabIndex = on ? 0 : -1
  })
  const providers = () => {
    const p = model.providers, pill = $('.pill.providers')
    pill.hidden = !p.text
    pill.innerHTML = `<i class="dot ${esc(p.tone)}"></i><span>${esc(p.text)}</span>`
  }
  const downloads = (event) => {
    const pill = $('.pill.downloads'), told = event?.detail
    pill.hidden = !model.active
    const rate = told?.rate ? rateOf(told.rate) + (told.eta != null ? ` · ${spanOf(told.eta)}` : '') : ''
    pill.innerHTML = `<b aria-hidden="true">↓ ${model.active}</b><span class="hidden">${model.active} ${esc(w.downloads)}</span><span class="more">${esc(rate)}</span>`
  }
  const news = () => {
    const bell = $('.bell'), n = model.news
    bell.setAttribute('aria-label', `${w.news}: ${n || w.nothing}`)
    bell.innerHTML = `<svg width="17" height="17" viewBox="0 0 17 17" aria-hidden="true"><path d="M8.5 1.8a4.6 4.6 0 0 0-4.6 4.6c0 4-1.6 5-1.6 5.9h12.4c0-.9-1.6-1.9-1.6-5.9a4.6 4.6 0 0 0-4.6-4.6zM6.8 14.3a1.8 1.8 0 0 0 3.4 0" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linejoin="round" stroke-linecap="round"/></svg>${n ? `<b aria-hidden="true">${n > 99 ? '99+' : n}</b>` : ''}`
  }
  const act = (b) => {
    if (b.dataset.tab) { announce('ms-tab', {tab: b.dataset.tab, beside: model.beside}); model.tab = b.dataset.tab; mark() }
    else if (b.dataset.do === 'theme') {
      turn(!model.dark)
      try { localStorage.setItem('modelshelf-theme', model.dark ? 'dark' : 'light') } catch { /* a browser that keeps nothing */ }
    } else if (b.dataset.do === 'news') announce('ms-news')
    else if (b.dataset.do === 'help') announce('ms-help', {topic: ''})
    else model.send_msg({do: b.dataset.do})
  }
  root.onclick = (event) => { const b = event.target.closest('button'); if (b) act(b) }
  keepPresses(root, (b) => b.dataset.tab ?? b.dataset.do, act)
  root.querySelector('.brand').onclick = (event) => { event.preventDefault(); model.send_msg({do: 'home'}) }
  root.onkeydown = (event) => {
    if (!event.target.dataset.tab || !['ArrowLeft', 'ArrowRight'].includes(event.key)) return
    const tabs = [...root.querySelectorAll('.tab')], next = tabs[(tabs.indexOf(event.target) + 1) % tabs.length]
    next.click()
    next.focus()
  }
  model.on('tab', mark)
  model.on('providers', providers)
  model.on('active', () => downloads())
  model.on('news', news)
  listen(model, window, 'ms-progress', downloads)
  mark(); providers(); downloads(); news()
}
