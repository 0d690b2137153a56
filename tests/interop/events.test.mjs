// Customer events as Node services produce them, in every envelope; their effects as Mongoose reads them.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { billingModels } from './models.mjs';
import { billingMongoUri, connect, kafkaBrokers, kafkaTopic, unique } from './environment.mjs';
import { until, within } from './waiting.mjs';

// What goes wrong for good is thrown; what kafkajs logs beside that is what it tries again by itself.
const kafka = new Kafka({ clientId: 'interop', brokers: kafkaBrokers, logLevel: logLevel.NOTHING });
const producer = kafka.producer();
const admin = kafka.admin();
let database;

before(async () => {
  database = await connect(billingMongoUri, billingModels);
  await Promise.all([producer.connect(), admin.connect()]);
});

after(async () => {
  await Promise.all([producer.disconnect(), admin.disconnect()]);
  await database.connection.close();
});

/** The attributes that every CloudEvent has. */
const attributes = (type) => ({ specversion: '1.0', id: randomUUID(), source: '/users', type, time: new Date().toISOString() });

/** What a producer makes of an event: the envelope of the documentation, the one that the live producer sends, and CloudEvents. */
const envelopes = {
  'type and payload': (type, payload) => ({ value: JSON.stringify({ type, payload }) }),
  'event, data and timestamp': (event, data) => ({ value: JSON.stringify({ event, data, timestamp: new Date() }) }),
  'CloudEvents in structured mode': (type, data) => ({
    value: JSON.stringify({ ...attributes(type), datacontenttype: 'application/json', data }),
    headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8' },
  }),
  'CloudEvents in binary mode': (type, data) => ({
    value: JSON.stringify(data),
    headers: {
      'content-type': 'application/json',
      ...Object.fromEntries(Object.entries(attributes(type)).map(([name, value]) => [`ce_${name}`, value])),
    },
  }),
};

async function send(key, { value, headers = {} }) {
  const [written] = await producer.send({ topic: kafkaTopic, messages: [{ key, value, headers: { origin: 'interop', ...headers } }] });
  return { partition: written.partition, offset: written.baseOffset };
}

const user = (userId) => database.User.findOne({ userId });
const billings = (userId) => database.Billing.find({ userId });

for (const [shape, envelope] of Object.entries(envelopes)) {
  describe(`events of the shape ${shape}`, () => {
    const event = (userId, type, fields = {}) => send(userId, envelope(type, { userId, ...fields }));

    test('Customer.Created makes the user and its first billing', async () => {
      const userId = unique('created');
      const sent = Date.now();
      await event(userId, 'Customer.Created', { address: { city: 'Cali', country: 'Colombia' } });
      const billing = await until('the first billing', () => database.Billing.findOne({ userId }));
      const created = await user(userId);
      assert.equal(created.isActive, true);
      assert.equal(created.address.city, 'Cali');
      assert.match(billing.billingId, /^\d{9}$/);
      assert.equal(billing.totalInvoice, 100000);
      assert.equal(billing.serviceId, '1');
      assert.equal(billing.isPaid, false);
      assert.equal(billing.paymentDate, null);
      assert.ok(Math.abs(billing.dueDate - sent - 14 * 24 * 3600 * 1000) < 120_000, `due ${billing.dueDate.toISOString()}`);
      await billing.validate();
      await created.validate();
    });

    test('Customer.Created says more than the defaults', async () => {
      const userId = unique('created');
      await event(userId, 'Customer.Created', { totalInvoice: '125000', serviceId: '7', dueDate: '2027-01-31' });
      const billing = await until('the first billing', () => database.Billing.findOne({ userId }));
      assert.equal(billing.totalInvoice, 125000);
      assert.equal(billing.serviceId, '7');
      assert.equal(billing.dueDate.toISOString(), '2027-01-31T00:00:00.000Z');
    });

    test('a duplicate changes nothing', async () => {
      const userId = unique('twice');
      const created = envelope('Customer.Created', { userId });
      await send(userId, created);
      await send(userId, created);
      // The third event proves that the second was handled: events of one user apply in order.
      await event(userId, 'Customer.Updated', { address: { city: 'Pasto' } });
      await until('the update', () => database.User.findOne({ userId, 'address.city': 'Pasto' }));
      assert.equal((await billings(userId)).length, 1);
      assert.equal(await database.User.countDocuments({ userId }), 1);
    });

    test('Updated, Suspended, Reactivated and Deleted apply in order', async () => {
      const userId = unique('life');
      await event(userId, 'Customer.Created', { address: { city: 'Cali' }, phone: { phoneNumber: 3001234567 } });
      await event(userId, 'Customer.Updated', { address: { city: 'Bogotá' } });
      const updated = await until('the update', () => database.User.findOne({ userId, 'address.city': 'Bogotá' }));
      assert.equal(updated.phone.phoneNumber, 3001234567, 'a field that was not named changed');
      await event(userId, 'Customer.Suspended');
      await until('the suspension', () => database.User.findOne({ userId, isActive: false }));
      await event(userId, 'Customer.Reactivated');
      await until('the reactivation', () => database.User.findOne({ userId, isActive: true }));
      await event(userId, 'Customer.Deleted');
      await until('the deletion', async () => !(await user(userId)));
      assert.deepEqual(await billings(userId), []);
    });

    test('an event that comes before its user is kept until the user appears', async () => {
      const userId = unique('early');
      await event(userId, 'Customer.Suspended');
      await event(userId, 'Customer.Created');
      await until('the user, suspended', () => database.User.findOne({ userId, isActive: false }));
      assert.equal((await billings(userId)).length, 1);
    });
  });
}

describe('many customers at once', () => {
  /** Everything that is stored of these customers, except for when it was written last. */
  const stored = async (userIds) => {
    const found = await Promise.all(
      [database.User, database.Billing].map((model) => model.collection.find({ userId: { $in: userIds } }).sort({ _id: 1 }).toArray()),
    );
    return found.flat().map(({ updatedAt, ...rest }) => rest);
  };

  test('interleaved on all partitions they apply in order, and neither a repetition nor a replay from zero changes a thing', async () => {
    const userIds = Array.from({ length: 60 }, () => unique('many'));
    const makers = Object.values(envelopes);
    const life = (userId, number) => [
      ['Customer.Created', { userId, address: { city: 'Cali' } }],
      ['Customer.Suspended', { userId }],
      ['Customer.Updated', { userId, address: { city: `City ${number}` } }],
      ...(number % 3 ? [['Customer.Reactivated', { userId }]] : []),
      ...(number % 5 ? [] : [['Customer.Deleted', { userId }]]),
    ];
    // The first event of everybody, then the second of everybody, and so on; each customer's own order stays.
    const lives = userIds.map(life);
    const messages = [];
    for (let step = 0; lives.some((events) => events[step]); step += 1) {
      lives.forEach((events, number) => {
        if (!events[step]) return;
        // Those that state their time: what does not cannot be told from news when it is sent once more.
        const { value, headers } = makers[1 + (number % 3)](...events[step]);
        messages.push({ key: userIds[number], value, headers });
      });
    }
    // kafkajs reports one offset per partition: that of the batch's first message there.
    const sent = await producer.send({ topic: kafkaTopic, messages });
    assert.ok(new Set(sent.map(({ partition }) => partition)).size > 1, 'all customers are on one partition');

    const expected = userIds.filter((_, number) => number % 5);
    const last = async () => {
      const users = await database.User.find({ userId: { $in: userIds } });
      const right = (user) => {
        const number = userIds.indexOf(user.userId);
        return user.address.city === `City ${number}` && user.isActive === (number % 3 !== 0);
      };
      return users.length === expected.length && users.every(right);
    };
    await until('the last state of every customer', last);
    const billed = await database.Billing.find({ userId: { $in: userIds } });
    assert.deepEqual(billed.map(({ userId }) => userId).sort(), [...expected].sort(), 'not everybody has one billing');
    const before = await stored(userIds);

    const positions = database.connection.collection('event_positions');
    const drained = async (what) => {
      const ends = await admin.fetchTopicOffsets(kafkaTopic);
      await until(what, async () => {
        const found = await positions.find({ topic: kafkaTopic }).toArray();
        const next = new Map(found.map((position) => [position._id.partition, Number(position.next)]));
        return ends.every(({ partition, high }) => (next.get(partition) ?? 0) >= Number(high));
      }, 60_000);
    };
    await producer.send({ topic: kafkaTopic, messages });
    await drained('the repetition to be read');
    assert.deepEqual(await stored(userIds), before, 'a repetition changed something');

    // The whole topic once more, as after `billwright events reset`.
    await positions.updateMany({ topic: kafkaTopic }, { $set: { next: 0 } });
    await drained('the replay from zero');
    assert.deepEqual(await stored(userIds), before, 'a replay from zero changed something');
  });
});

describe('what can never be applied', () => {
  const poison = {
    'no value': null,
    'an empty value': '',
    'broken JSON': '{"type": "Customer.Created", "payload": ',
    'bytes that are no text': Buffer.from([0xff, 0xfe, 0x00]),
    'an array': '[1, 2]',
    'something else than an event': '{"hello": 1}',
    'an event without a payload': JSON.stringify({ type: 'Customer.Created' }),
    'an unknown type': JSON.stringify({ type: 'Customer.Promoted', payload: { userId: 'c' } }),
    'a payload without a userId': JSON.stringify({ type: 'Customer.Created', payload: { address: { city: 'Cali' } } }),
    'an operator for a userId': JSON.stringify({ type: 'Customer.Deleted', payload: { userId: { $ne: '' } } }),
    'a field of the wrong kind': JSON.stringify({ event: 'Customer.Updated', data: { userId: 'c', isActive: 'perhaps' } }),
  };

  test('goes to the dead letters with its reason and source, and the consumer goes on', async () => {
    const consumer = kafka.consumer({ groupId: unique('dead-letters') });
    const arrived = [];
    try {
      await consumer.connect();
      const sent = new Map();
      for (const [kind, value] of Object.entries(poison)) {
        const key = unique('poison');
        sent.set(key, { kind, value, ...(await send(key, { value })) });
      }
      const userId = unique('after');
      await send(userId, envelopes['type and payload']('Customer.Created', { userId }));
      await until('the event after the poison', () => user(userId));

      await consumer.subscribe({ topic: `${kafkaTopic}.dlq`, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message }) => {
          arrived.push(message);
        },
      });
      const own = () => arrived.filter((message) => sent.has(message.key?.toString()));
      await until('all dead letters', () => own().length >= sent.size, 30_000);
      assert.equal(own().length, sent.size);
      for (const message of own()) {
        const { kind, value, partition, offset } = sent.get(message.key.toString());
        const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.toString()]));
        assert.deepEqual(message.value ?? Buffer.alloc(0), Buffer.from(value ?? ''), `${kind}: the bytes changed`);
        assert.equal(headers.origin, 'interop', `${kind}: the producer's header is gone`);
        const source = [kafkaTopic, String(partition), String(offset)];
        assert.deepEqual(['topic', 'partition', 'offset'].map((name) => headers[`x-dead-letter-${name}`]), source, kind);
        assert.ok(headers['x-dead-letter-reason'], `${kind}: no reason in ${JSON.stringify(headers)}`);
        assert.ok(!Number.isNaN(Date.parse(headers['x-dead-letter-time'])), `${kind}: no time in ${JSON.stringify(headers)}`);
      }
    } finally {
      await within('the consumer to stop', consumer.disconnect(), 10_000);
    }
  });
});
