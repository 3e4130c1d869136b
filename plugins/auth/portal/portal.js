// The built-in portal: sign in and approve (users/login), set a password (account/password). Plain DOM, no framework,
// nothing from elsewhere; texts from the server only ever become text nodes.
'use strict';

const page = document.getElementById('page');
const query = new URLSearchParams(location.search);
const flowId = query.get('flowId') || '';

function element(name, attributes = {}, ...children) {
  const out = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) out.setAttribute(key, '');
    else if (value !== false && value !== undefined) out.setAttribute(key, value);
  }
  out.append(...children.filter((child) => child !== undefined && child !== null));
  return out;
}

function show(title, ...children) {
  document.title = title + ' – Trellis';
  const heading = element('h1', {tabindex: '-1'}, title);
  page.replaceChildren(heading, ...children.filter(Boolean));
  page.setAttribute('aria-busy', 'false');
  (page.querySelector('input') || heading).focus();
}

const paragraph = (text, kind) => element('p', {class: kind}, text);
const problemLine = () => element('p', {class: 'problem', role: 'alert'});

function field(label, attributes, hint) {
  const id = 'field-' + attributes.name;
  const described = hint ? id + '-hint' : undefined;
  return [
    element('label', {for: id}, label),
    element('input', {id, 'aria-describedby': described, ...attributes}),
    hint ? element('p', {class: 'hint', id: described}, hint) : null,
  ];
}

// A link that leads to another site or page of the browser; never a script.
function webUrl(text) {
  try {
    const url = new URL(text, location.href);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url : null;
  } catch {
    return null;
  }
}

class Failure extends Error {
  constructor(status, code, seconds) {
    super(code || 'HTTP ' + status);
    this.status = status;
    this.code = code;
    this.seconds = seconds;
  }
}

async function call(method, path, body) {
  const init = {method, headers: {accept: 'application/json'}, credentials: 'same-origin'};
  if (body !== undefined) {
    init.headers['content-type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  const response = await fetch(path, init);
  const text = await response.text();
  let json = null;
  try {
    json = JSON.parse(text);
  } catch {
    json = null;
  }
  if (response.ok && json) return json;
  throw new Failure(response.status, json && json.error ? json.error : text, response.headers.get('retry-after'));
}

const MESSAGES = {
  invalid_credentials: 'The user name or the password is wrong, or the account is locked for a while.',
  user_inactive: 'This account is disabled.',
  local_identity_disabled: 'Signing in with a password is turned off.',
  busy: 'The server is busy. Please try again in a moment.',
  flow_already_consumed: 'This link has been used already.',
  flow_consume_conflict: 'This link has been used already.',
  flow_expired: 'This link has expired.',
  flow_not_found: 'This link is unknown.',
  local_username_mismatch: 'This link is for another user name.',
  local_identity_exists: 'This user name is taken.',
  target_user_inactive: 'This account is disabled.',
};

function messageOf(failure) {
  if (failure.status === 429) return 'Too many attempts. Please wait ' + (failure.seconds || 'a few') + ' seconds.';
  if (failure.status === 404) return 'This sign-in has expired. Please start again.';
  return MESSAGES[failure.code] || 'That did not work (' + failure.message + ').';
}

// Runs `work` while the form can't be sent again, and says what went wrong in `problem`.
async function submitting(buttons, problem, work) {
  problem.textContent = '';
  for (const button of buttons) button.disabled = true;
  try {
    await work();
  } catch (failure) {
    problem.textContent = failure instanceof Failure ? messageOf(failure) : 'The server could not be reached.';
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

// ---------------------------------------------------------------- sign in

function isThisPage(url) {
  return url.origin === location.origin && url.pathname === location.pathname;
}

function follow(target) {
  const url = webUrl(target);
  if (!url) return show('Sign-in failed', paragraph('The application gave no usable address to return to.'));
  if (!isThisPage(url)) return location.assign(url.href);
  if (url.searchParams.get('authError')) {
    return show('Access denied', paragraph('Nothing was approved. You can close this page.'));
  }
  show('Connected', paragraph('You are signed in. Return to the CLI; this page can be closed.'));
}

function returnLink(target, text) {
  const url = target ? webUrl(target) : null;
  return url && !isThisPage(url) ? element('a', {class: 'button', href: url.href}, text) : null;
}

function signInForm(state) {
  const problem = problemLine();
  const button = element('button', {type: 'submit', class: 'primary'}, 'Sign in');
  const form = element('form', {},
    ...field('User name', {name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true}),
    ...field('Password', {name: 'password', type: 'password', autocomplete: 'current-password', required: true}),
    problem, button);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    await submitting([button], problem, async () => {
      await call('POST', '/auth/login/local', {
        flowId: state.flowId,
        username: form.elements.username.value,
        password: form.elements.password.value,
      });
      await refresh();
    });
    if (problem.textContent) form.elements.password.select(); // the next key typed replaces it
  });
  return form;
}

function chooseProvider(state) {
  const local = state.providers.some((provider) => provider.id === 'local');
  const others = state.providers.filter((provider) => provider.id !== 'local');
  const links = others.map((provider) => element('a', {
    class: 'button',
    href: '/auth/login/' + encodeURIComponent(provider.id) + '?flowId=' + encodeURIComponent(state.flowId),
  }, 'Continue with ' + provider.displayName));
  show('Choose a sign-in method',
    paragraph('To continue to ' + state.app.displayName + '.'),
    local ? signInForm(state) : null, ...links);
}

function capabilityList(capabilities) {
  const items = Object.values(capabilities).map((capability) => element('li', {},
    element('strong', {}, capability.displayName), ': ' + capability.description,
    capability.consequence ? ' ' + capability.consequence : null));
  if (items.length === 0) return paragraph('It asks for no special capabilities.');
  return element('div', {}, element('h2', {}, 'It asks to'), element('ul', {}, ...items));
}

function approve(state) {
  const problem = problemLine();
  const yes = element('button', {type: 'button', class: 'primary'}, 'Approve');
  const no = element('button', {type: 'button'}, 'Deny');
  const answer = (approved) => submitting([yes, no], problem, async () => {
    render(await call('POST', '/auth/flow/' + encodeURIComponent(state.flowId) + '/approval', {approved}));
  });
  yes.addEventListener('click', () => answer(true));
  no.addEventListener('click', () => answer(false));
  show('Approve access',
    paragraph(state.approval.displayName + ' wants to act for ' + (state.user.name || state.user.id) + '.'),
    paragraph(state.approval.description, 'hint'),
    capabilityList(state.approval.capabilities), problem, yes, no);
}

function insufficient(state) {
  const missing = state.missingCapabilities.map((key) => {
    const text = state.approval.capabilities[key];
    return element('li', {}, text ? text.displayName : key);
  });
  show('Not enough rights',
    paragraph((state.user.name || state.user.id) + ' lacks what ' + state.approval.displayName + ' needs:'),
    element('ul', {}, ...missing), paragraph('An administrator can grant it.'),
    returnLink(state.returnLocation, 'Back to the application'));
}

function expired(state) {
  show('This sign-in has expired', paragraph('Please start again where you came from.'),
    returnLink(state.returnLocation, 'Back to the application'));
}

function render(state) {
  switch (state.status) {
    case 'choose_provider': return chooseProvider(state);
    case 'approval_required': return approve(state);
    case 'insufficient_capabilities': return insufficient(state);
    case 'redirect': return follow(state.location);
    default: return expired(state);
  }
}

async function refresh() {
  render(await call('GET', '/auth/flow/' + encodeURIComponent(flowId)));
}

async function loginPage() {
  if (query.get('authError')) return show('Sign-in failed', paragraph(query.get('authError')));
  if (!flowId) return expired({});
  await refresh();
}

// ---------------------------------------------------------------- password

function saved(returnTo) {
  const path = returnTo && returnTo.startsWith('/') ? returnTo : '';
  const url = path ? webUrl(path) : null;
  show('Password saved', paragraph('You can sign in with the new password now.'),
    url && url.origin === location.origin ? element('a', {class: 'button', href: url.href}, 'Continue') : null);
}

function passwordForm(state) {
  const problem = problemLine();
  const button = element('button', {type: 'submit', class: 'primary'}, 'Save password');
  const length = state.passwordPolicy.minLength;
  const form = element('form', {},
    ...field('New password', {name: 'password', type: 'password', autocomplete: 'new-password', minlength: String(length), required: true},
      'At least ' + length + ' characters.'),
    ...field('Name (optional)', {name: 'name', autocomplete: 'name'}),
    ...field('E-mail (optional)', {name: 'email', type: 'email', autocomplete: 'email'}),
    problem, button);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const body = {password: form.elements.password.value};
    for (const name of ['name', 'email']) if (form.elements[name].value) body[name] = form.elements[name].value;
    submitting([button], problem, async () => {
      const path = '/auth/account-flow/' + encodeURIComponent(flowId) + '/local-password';
      saved((await call('POST', path, body)).returnTo);
    });
  });
  const who = state.target ? state.target.name || state.target.email || state.target.userId : '';
  show('Reset your password', who ? paragraph('For the account ' + who + '.') : null, form);
}

async function passwordPage() {
  const state = await call('GET', '/auth/account-flow/' + encodeURIComponent(flowId || 'none'));
  if (state.status === 'active') return passwordForm(state);
  const used = state.status === 'consumed';
  show(used ? 'This link has been used' : 'This link has expired', paragraph('Ask for a new one.'));
}

// ---------------------------------------------------------------- pages

const PAGES = {
  '/_trellis/portal/users/login': loginPage,
  '/_trellis/portal/account/password': passwordPage,
};

async function start() {
  if (location.pathname === '/_trellis/portal') {
    return location.replace('/_trellis/portal/users/login' + location.search);
  }
  const open = PAGES[location.pathname];
  if (!open) return show('Page not found', paragraph('There is no such page here.'));
  try {
    await open();
  } catch (failure) {
    show('Something went wrong', paragraph(failure instanceof Failure ? messageOf(failure) : 'The server could not be reached.'));
  }
}

start();
