// The HTTP API as its Node clients use it: every call of both resources, the documented example bodies, and the
// sentences that the historical services answered with.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { billingModels } from './models.mjs';
import { billingMongoUri, billwrightUrl, connect, fixture, unique } from './environment.mjs';

let database;

before(async () => {
  database = await connect(billingMongoUri, billingModels);
});

after(async () => {
  await database.connection.close();
});

async function call(method, path, body, headers = {}) {
  const response = await fetch(new URL(path, billwrightUrl), {
    method,
    headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let parsed = text;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Left as text, so that an assertion shows what came instead of JSON.
  }
  return { status: response.status, headers: response.headers, body: parsed };
}

function assertError(answer, status, sentence) {
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  assert.equal(answer.body.error, sentence);
  assert.match(answer.body.code, /^[a-z][a-z_]*$/);
  assert.equal(answer.body.correlationId, answer.headers.get('x-correlation-id'));
}

const userBody = (fields = {}) => ({ userId: unique('user'), ...fields });

async function createUser(fields) {
  const answer = await call('POST', '/api/users', userBody(fields));
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body;
}

async function createBilling(userId, fields = {}) {
  const answer = await call('POST', '/api/billings', { userId, dueDate: '2026-12-31', ...fields });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body;
}

describe('users', () => {
  test('takes the documented example', async () => {
    const example = await fixture('user');
    const answer = await call('POST', '/api/users', example);
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    assert.equal(answer.body.userId, example.userId);
    assert.deepEqual(answer.body.address, example.address);
    assert.equal(answer.body.isActive, true);
    assert.match(answer.body._id, /^[0-9a-f]{24}$/);
    assert.equal(answer.body.__v, 0);
    assert.ok(!Number.isNaN(Date.parse(answer.body.createdAt)) && !Number.isNaN(Date.parse(answer.body.updatedAt)));
    assertError(await call('POST', '/api/users', example), 409, 'userId already exists');
  });

  test('needs a userId', async () => {
    assertError(await call('POST', '/api/users', { address: { city: 'Cali' } }), 400, 'userId is required');
  });

  test('names the field that cannot be read', async () => {
    const answer = await call('POST', '/api/users', userBody({ isActive: 'perhaps' }));
    assert.equal(answer.status, 400);
    assert.equal(answer.body.details[0].field, 'isActive');
    assert.ok(answer.body.details[0].found && answer.body.details[0].expected);
  });

  test('drops what it does not know and coerces what it does', async () => {
    const user = await createUser({ isActive: 'true', colour: 'red', phone: { phoneNumber: '3001234567' } });
    assert.equal(user.isActive, true);
    assert.equal(user.colour, undefined);
    assert.deepEqual(user.phone, { codeNumber: '+57', phoneNumber: 3001234567 });
  });

  test('reads one by either id, and lists them all', async () => {
    const user = await createUser();
    assert.deepEqual((await call('GET', `/api/users/${user._id}`)).body, user);
    assert.deepEqual((await call('GET', `/api/users/${user.userId}`)).body, user);
    const all = await call('GET', '/api/users');
    assert.equal(all.status, 200);
    assert.deepEqual(all.body.find((found) => found._id === user._id), user);
    assertError(await call('GET', '/api/users/000000000000000000000000'), 404, 'User not found');
  });

  test('replaces the given fields as a whole and never the userId', async () => {
    const user = await createUser({ address: { city: 'Cali', country: 'Colombia' } });
    const answer = await call('PUT', `/api/users/${user._id}`, { address: { city: 'Bogotá' }, isActive: false });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.deepEqual(answer.body.address, { city: 'Bogotá' });
    assert.equal(answer.body.isActive, false);
    assert.equal(answer.body.createdAt, user.createdAt);
    await call('PUT', `/api/users/${user._id}`, { userId: unique('other') });
    assert.equal((await database.User.findById(user._id)).userId, user.userId);
    assertError(await call('PUT', '/api/users/nobody-at-all', { isActive: true }), 404, 'User not found');
  });

  test('deletes one and leaves its billings', async () => {
    const user = await createUser();
    const billing = await createBilling(user.userId);
    const answer = await call('DELETE', `/api/users/${user.userId}`);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, { message: 'Deleted' });
    assert.equal(await database.User.findById(user._id), null);
    assert.ok(await database.Billing.findById(billing._id));
    assertError(await call('DELETE', `/api/users/${user.userId}`), 404, 'User not found');
  });
});

describe('billings', () => {
  test('takes the documented example, `totalInvoice` as text included', async () => {
    const example = await fixture('billing');
    const before = Date.now();
    await call('POST', '/api/users', { userId: example.userId });
    const answer = await call('POST', '/api/billings', example);
    assert.equal(answer.status, 201, JSON.stringify(answer.body));
    assert.equal(answer.body.userId, example.userId);
    assert.equal(answer.body.totalInvoice, 125000);
    assert.equal(answer.body.serviceId, '1');
    assert.equal(answer.body.isPaid, false);
    assert.equal(answer.body.paymentDate, null);
    assert.equal(answer.body.dueDate, '2025-10-15T00:00:00.000Z');
    assert.match(answer.body.billingId, /^\d{9}$/);
    assert.notEqual(answer.body.billingId, example.billingId, 'the number is the server’s');
    const generated = Date.parse(answer.body.generationDate);
    assert.ok(generated >= before - 1000 && generated <= Date.now() + 1000, 'the date of making is the server’s');
  });

  test('needs an existing, active user and a due date', async () => {
    const dueDate = '2026-12-31';
    assertError(await call('POST', '/api/billings', { dueDate }), 400, 'userId is required');
    assertError(await call('POST', '/api/billings', { userId: unique('nobody'), dueDate }), 404, 'User not found');
    const suspended = await createUser({ isActive: false });
    const refused = await call('POST', '/api/billings', { userId: suspended.userId, dueDate });
    assertError(refused, 400, 'User is not active');
    const user = await createUser();
    const dateless = await call('POST', '/api/billings', { userId: user.userId });
    assert.equal(dateless.status, 400);
    assert.equal(dateless.body.details[0].field, 'dueDate');
    assert.equal(await database.Billing.countDocuments({ userId: { $in: [suspended.userId, user.userId] } }), 0);
  });

  test('reads one by either id', async () => {
    const user = await createUser();
    const billing = await createBilling(user.userId);
    assert.deepEqual((await call('GET', `/api/billings/${billing.billingId}`)).body, billing);
    assert.deepEqual((await call('GET', `/api/billings/${billing._id}`)).body, billing);
    assertError(await call('GET', '/api/billings/999999999'), 404, 'Billing not found');
  });

  test('lists all of them, and those of a user with the newest first', async () => {
    const user = await createUser();
    const first = await createBilling(user.userId);
    const second = await createBilling(user.userId);
    const own = await call('GET', `/api/billings/user/${user.userId}`);
    assert.deepEqual(own.body.map((found) => found.billingId), [second.billingId, first.billingId]);
    const all = await call('GET', '/api/billings');
    assert.equal(all.status, 200);
    assert.ok(all.body.some((found) => found._id === first._id));
    assert.deepEqual((await call('GET', `/api/billings/user/${unique('nobody')}`)).body, []);
  });

  test('pages through a filtered list by its headers', async () => {
    const user = await createUser();
    const made = [];
    for (let count = 0; count < 3; count += 1) made.push((await createBilling(user.userId)).billingId);
    const seen = [];
    let path = `/api/billings?userId=${user.userId}&limit=2`;
    while (path) {
      const page = await call('GET', path);
      assert.equal(page.status, 200, JSON.stringify(page.body));
      assert.ok(Array.isArray(page.body) && page.body.length <= 2);
      seen.push(...page.body.map((found) => found.billingId));
      path = /<([^>]+)>;\s*rel="next"/.exec(page.headers.get('link') ?? '')?.[1];
    }
    assert.deepEqual(seen.toSorted(), made.toSorted());
  });

  test('sets the payment date when it is paid, and never changes its number', async () => {
    const user = await createUser();
    const billing = await createBilling(user.userId);
    const answer = await call('PUT', `/api/billings/${billing.billingId}`, { isPaid: true, totalInvoice: '99.5' });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.equal(answer.body.isPaid, true);
    assert.equal(answer.body.totalInvoice, 99.5);
    assert.ok(Math.abs(Date.parse(answer.body.paymentDate) - Date.now()) < 60_000);
    await call('PUT', `/api/billings/${billing._id}`, { billingId: '000000000' });
    assert.equal((await database.Billing.findById(billing._id)).billingId, billing.billingId);
    const bad = await call('PUT', `/api/billings/${billing._id}`, { dueDate: 'soon' });
    assert.equal(bad.status, 400);
    assert.equal(bad.body.details[0].field, 'dueDate');
    assertError(await call('PUT', '/api/billings/999999999', { isPaid: true }), 404, 'Billing not found');
  });

  test('deletes one', async () => {
    const user = await createUser();
    const billing = await createBilling(user.userId);
    const answer = await call('DELETE', `/api/billings/${billing.billingId}`);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, { message: 'Deleted' });
    assertError(await call('DELETE', `/api/billings/${billing.billingId}`), 404, 'Billing not found');
  });

  test('numbers each billing once, and uses up no number for a refused one', async () => {
    const user = await createUser();
    const suspended = await createUser({ isActive: false });
    const counted = async () => (await database.Counter.findById('billingId')).seq;
    await createBilling(user.userId);
    const before = await counted();
    const [refused, ...made] = await Promise.all([
      call('POST', '/api/billings', { userId: suspended.userId, dueDate: '2026-12-31' }),
      ...Array.from({ length: 10 }, () => createBilling(user.userId)),
    ]);
    assert.equal(refused.status, 400);
    assert.deepEqual(
      made.map((billing) => Number(billing.billingId)).toSorted((a, b) => a - b),
      Array.from({ length: 10 }, (_, position) => before + 1 + position),
    );
    assert.equal(await counted(), before + 10);
  });
});

describe('every route', () => {
  test('is served without /api too', async () => {
    const created = await call('POST', '/users', userBody());
    assert.equal(created.status, 201);
    assert.equal((await call('GET', `/users/${created.body.userId}`)).status, 200);
    assert.equal((await call('GET', `/billings/user/${created.body.userId}`)).status, 200);
  });

  test('answers what it does not know with 404', async () => {
    assertError(await call('GET', '/api/nothing-here'), 404, 'Not found');
  });

  test('refuses broken JSON, other types, too much, and operators', async () => {
    assertError(await call('POST', '/api/users', '{"userId": '), 400, 'Invalid JSON');
    assert.equal((await call('POST', '/api/users', 'userId=1', { 'content-type': 'text/plain' })).status, 415);
    assert.equal((await call('POST', '/api/users', userBody({ address: { city: 'x'.repeat(1 << 20) } }))).status, 413);
    const operator = await call('POST', '/api/billings', { userId: { $gt: '' }, dueDate: '2026-12-31' });
    assert.equal(operator.status, 400);
    assert.equal((await call('GET', '/api/billings?userId[$gt]=')).status, 400);
  });

  test('echoes the correlation id, or makes one up', async () => {
    const given = unique('correlation');
    assert.equal((await call('GET', '/api/users?limit=1', undefined, { 'x-correlation-id': given })).headers.get('x-correlation-id'), given);
    assert.ok((await call('GET', '/api/users?limit=1')).headers.get('x-correlation-id'));
  });
});

describe('operations', () => {
  test('reports life and readiness by dependency', async () => {
    assert.equal((await call('GET', '/health/live')).status, 200);
    const ready = await call('GET', '/health/ready');
    assert.equal(ready.status, 200, JSON.stringify(ready.body));
    const named = JSON.stringify(ready.body);
    for (const dependency of ['mongodb', 'redis', 'kafka']) assert.match(named, new RegExp(dependency, 'i'));
  });
});
