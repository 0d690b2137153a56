// What Billwright writes to MongoDB, read by its owners' Mongoose models: exact types, validation, and a save.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Queue, QueueEvents } from 'bullmq5';
import mongoose from 'mongoose';
import { billingModels, billzModels } from './models.mjs';
import {
  billingMongoUri, billwrightUrl, billzMongoUri, connect, fixture, queueName, queuePrefix, redisOptions, unique, uniquePhone,
} from './environment.mjs';
import { within } from './waiting.mjs';

const { Double, Int32, Long, ObjectId } = mongoose.mongo.BSON;

let billz;
let billing;
let queue;
let events;

before(async () => {
  billz = await connect(billzMongoUri, billzModels);
  billing = await connect(billingMongoUri, billingModels);
  const options = { connection: redisOptions(), prefix: queuePrefix };
  queue = new Queue(queueName, options);
  events = new QueueEvents(queueName, options);
  await within('the queue', Promise.all([queue.waitUntilReady(), events.waitUntilReady()]));
});

after(async () => {
  await Promise.all([queue.close(), events.close(), billz.connection.close(), billing.connection.close()]);
});

/** The document as BSON has it, number types included. */
const raw = (model, filter) => model.collection.findOne(filter, { promoteValues: false, promoteLongs: false });

function assertStamps(document) {
  assert.ok(document._id instanceof ObjectId, 'the _id is no ObjectId');
  assert.ok(document.createdAt instanceof Date && document.updatedAt instanceof Date, 'a time-stamp is no date');
  assert.ok(document.createdAt <= document.updatedAt);
  assertWhole(document.__v, 0);
}

/** A number as the JavaScript driver would store it: an int32 where it fits. */
function assertWhole(value, expected) {
  assert.ok(value instanceof Int32, `${expected} is stored as ${value?.constructor?.name}`);
  assert.equal(value.valueOf(), expected);
}

function assertDouble(value, expected) {
  assert.ok(value instanceof Double, `${expected} is stored as ${value?.constructor?.name}`);
  assert.equal(value.valueOf(), expected);
}

/** No field is null (the models have no such default) and none is a 64-bit integer, which JavaScript never stores. */
function assertPlain(document, allowedNulls = [], path = '') {
  for (const [name, value] of Object.entries(document)) {
    const here = path ? `${path}.${name}` : name;
    assert.ok(!(value instanceof Long), `${here} is a 64-bit integer`);
    if (value === null) assert.ok(allowedNulls.includes(here), `${here} is null`);
    else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) assertPlain(value, allowedNulls, here);
  }
}

/** The model takes the document as it is, and saving a change through it leaves every other field alone. */
async function assertSavable(model, filter, change) {
  const before = await model.collection.findOne(filter);
  const document = await model.findOne(filter);
  await document.validate();
  assert.deepEqual(document.modifiedPaths(), [], 'reading it changed it');
  document.set(change);
  await document.save();
  const after = await model.collection.findOne(filter);
  assert.deepEqual({ ...after, ...change, updatedAt: before.updatedAt }, { ...before, ...change });
}

async function post(path, body) {
  const response = await fetch(new URL(path, billwrightUrl), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 201, await response.clone().text());
  return response.json();
}

async function run(type, payload, correlationId = unique('correlation')) {
  const job = await queue.add('any-name', { type, payload, correlationId, timestamp: Date.now() });
  return job.waitUntilFinished(events, 30_000);
}

describe('the billing database', () => {
  test('a user', async () => {
    const { userId } = await post('/api/users', {
      userId: unique('user'),
      address: { city: 'Cali', country: 'Colombia', zipCode: '760001', address: 'Calle 13 #64-40' },
      phone: { phoneNumber: 3001234567 },
    });
    const stored = await raw(billing.User, { userId });
    assertStamps(stored);
    assertPlain(stored);
    assert.deepEqual(Object.keys(stored).toSorted(), ['__v', '_id', 'address', 'createdAt', 'isActive', 'phone', 'updatedAt', 'userId']);
    assert.equal(stored.isActive, true);
    assert.equal(stored.phone.codeNumber, '+57');
    assertDouble(stored.phone.phoneNumber, 3001234567);
    await assertSavable(billing.User, { userId }, { isActive: false });
  });

  test('a user with nothing but an id has no other field', async () => {
    const { userId } = await post('/api/users', { userId: unique('user') });
    const stored = await raw(billing.User, { userId });
    assert.deepEqual(Object.keys(stored).toSorted(), ['__v', '_id', 'createdAt', 'isActive', 'updatedAt', 'userId']);
  });

  test('a billing, and the counter of its number', async () => {
    const { userId } = await post('/api/users', { userId: unique('user') });
    const { billingId } = await post('/api/billings', { ...(await fixture('billing')), userId });
    const stored = await raw(billing.Billing, { billingId });
    assertStamps(stored);
    assertPlain(stored, ['paymentDate']);
    assert.ok(stored.generationDate instanceof Date && stored.dueDate instanceof Date);
    assertWhole(stored.totalInvoice, 125000);
    assert.equal(stored.serviceId, '1');
    assert.equal(stored.isPaid, false);
    assert.equal(stored.paymentDate, null);
    const counter = await raw(billing.Counter, { _id: 'billingId' });
    assertWhole(counter.seq, Number(billingId));
    await billing.Counter.findById('billingId').then((found) => found.validate());
    await assertSavable(billing.Billing, { billingId }, { serviceId: '2' });
  });

  test('an amount with a fraction is a double', async () => {
    const { userId } = await post('/api/users', { userId: unique('user') });
    const { billingId } = await post('/api/billings', { userId, dueDate: '2026-12-31', totalInvoice: '99.95' });
    assertDouble((await raw(billing.Billing, { billingId })).totalInvoice, 99.95);
  });
});

describe('the order worker’s database', () => {
  let placed;
  let payload;
  const correlationId = unique('placed');

  before(async () => {
    const example = (await fixture('place_order')).payload;
    const client = await billz.Client.create({ phone: Number(uniquePhone().slice(1)), firstName: 'Aziza' });
    payload = {
      ...example,
      orderID: unique('order'),
      clientIdSys: client.id,
      products: [{ ...example.products[0], COLOR: 'red' }],
    };
    placed = await run('PLACE_ORDER', payload, correlationId);
  });

  test('an order', async () => {
    const filter = { orderID: payload.orderID };
    const stored = await raw(billz.Order, filter);
    assertStamps(stored);
    assertPlain(stored);
    assert.equal(stored.billzId, placed.billzOrderId);
    assert.equal(stored.deliveryStatus, 'pending');
    assert.equal(stored.paymentMethod, 'online');
    assert.equal(stored.orderType, 'delivery', 'the model’s default');
    assert.equal(stored.isPaid, false);
    for (const reference of ['regionId', 'clientIdSys', 'createdBy', 'userId']) {
      assert.ok(stored[reference] instanceof ObjectId, `${reference} is no ObjectId`);
      assert.equal(stored[reference].toHexString(), payload[reference]);
    }
    assert.equal(stored.storeId, undefined, 'an id that is none is left out');
    assertWhole(stored.totalPrice, 100);
    assertWhole(stored.subTotalPrice, 100);
    assertWhole(stored.deliverySubTotalPrice, 20);
    assertDouble(stored.coordinates.latitude, 41.2995);
    assertWhole(stored.coordinates.accuracy, 10);
    assert.deepEqual({ ...stored.deliveryAddress }, payload.deliveryAddress);
    assert.equal(stored.products.length, 1);
    assertWhole(stored.products[0].qty, 2);
    assert.equal(stored.products[0].productID, payload.products[0].productID);
    assert.deepEqual({ ...stored.products[0].name }, payload.products[0].name);
    assert.equal(stored.products[0].COLOR, 'red');
    await assertSavable(billz.Order, filter, { comment: 'rang the bell' });
  });

  test('its client, with what the owners wrote untouched', async () => {
    const filter = { _id: new ObjectId(payload.clientIdSys) };
    const stored = await raw(billz.Client, filter);
    assertStamps(stored);
    assert.equal(stored.billzId, placed.billzClientId);
    assert.equal(stored.firstName, 'Aziza');
    assertDouble(stored.phone, stored.phone.valueOf());
    await assertSavable(billz.Client, filter, { lastName: 'Karimova' });
  });

  test('a log entry of the operation, without personal data', async () => {
    const entries = await billz.Log.find({ correlationId });
    assert.ok(entries.length >= 1, 'no log entry carries the correlation id');
    for (const entry of entries) {
      await entry.validate();
      const stored = await raw(billz.Log, { _id: entry._id });
      assertStamps(stored);
      assertPlain(stored.description);
      assert.equal(typeof stored.success, 'boolean');
      const client = await billz.Client.findById(payload.clientIdSys);
      assert.ok(!JSON.stringify(entry).includes(String(client.phone)), 'the log tells a whole phone number');
    }
    assert.ok(entries.some((entry) => entry.section === 'billz' && entry.success));
    await assertSavable(billz.Log, { _id: entries[0]._id }, { section: 'billz' });
  });

  test('a log entry of a failure says why', async () => {
    const failing = unique('failing');
    await assert.rejects(run('GET_ORDER', { orderId: unique('no-such-sale') }, failing));
    const entry = await billz.Log.findOne({ correlationId: failing, success: false });
    assert.ok(entry, 'the failure left no log entry');
    await entry.validate();
    assert.ok(entry.errorMessage);
    assert.equal(entry.action, 'get');
  });

  test('a field that only the owners know survives the next write', async () => {
    const _id = new ObjectId();
    await billz.Order.collection.insertOne({
      _id, orderID: unique('order'), subTotalPrice: 100, totalPrice: 100, giftWrap: { paper: 'blue' }, deliveryStatus: 'packaged',
      createdAt: new Date(), updatedAt: new Date(), __v: 3,
    });
    await run('PLACE_ORDER', { ...payload, _id: _id.toHexString(), orderID: undefined });
    const stored = await billz.Order.collection.findOne({ _id });
    assert.deepEqual(stored.giftWrap, { paper: 'blue' });
    assert.ok(stored.billzId);
    await (await billz.Order.findById(_id)).validate();
  });
});
