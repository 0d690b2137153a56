// Customer events as Node services produce them, in both envelopes; their effects as Mongoose reads them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { billingModels } from './models.mjs';
import { billingMongoUri, connect, kafkaBrokers, kafkaTopic, unique } from './environment.mjs';
import { until, within } from './waiting.mjs';

// What goes wrong for good is thrown; what kafkajs logs beside that is what it tries again by itself.
const kafka = new Kafka({ clientId: 'interop', brokers: kafkaBrokers, logLevel: logLevel.NOTHING });
const producer = kafka.producer();
let database;

before(async () => {
  database = await connect(billingMongoUri, billingModels);
  await producer.connect();
});

after(async () => {
  await producer.disconnect();
  await database.connection.close();
});

/** The envelope of the documentation, and the one that the live producer sends. */
const envelopes = {
  'type and payload': (type, payload) => ({ type, payload }),
  'event, data and timestamp': (type, data) => ({ event: type, data, timestamp: new Date().toISOString() }),
};

async function send(key, value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const [written] = await producer.send({ topic: kafkaTopic, messages: [{ key, value: text, headers: { origin: 'interop' } }] });
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
      await event(userId, 'Customer.Created');
      await event(userId, 'Customer.Created');
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

describe('what can never be applied', () => {
  const poison = {
    'broken JSON': '{"type": "Customer.Created", "payload": ',
    'an unknown type': JSON.stringify({ type: 'Customer.Promoted', payload: { userId: 'c' } }),
    'a payload without a userId': JSON.stringify({ type: 'Customer.Created', payload: { address: { city: 'Cali' } } }),
  };

  test('goes to the dead letters with its reason and source, and the consumer goes on', async () => {
    const consumer = kafka.consumer({ groupId: unique('dead-letters') });
    const arrived = [];
    try {
      await consumer.connect();
      const sent = new Map();
      for (const [kind, text] of Object.entries(poison)) {
        const key = unique('poison');
        sent.set(key, { kind, text, ...(await send(key, text)) });
      }
      const userId = unique('after');
      await send(userId, { type: 'Customer.Created', payload: { userId } });
      await until('the event after the poison', () => user(userId));

      await consumer.subscribe({ topic: `${kafkaTopic}.dlq`, fromBeginning: true });
      await consumer.run({
        eachMessage: async ({ message }) => {
          arrived.push(message);
        },
      });
      const own = () => arrived.filter((message) => sent.has(message.key?.toString()));
      await until('three dead letters', () => own().length >= sent.size, 30_000);
      assert.equal(own().length, sent.size);
      for (const message of own()) {
        const { kind, text, partition, offset } = sent.get(message.key.toString());
        const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.toString()]));
        assert.equal(message.value.toString(), text, `${kind}: the bytes changed`);
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
