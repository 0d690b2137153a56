// The queue as its Node producers use it: three major versions of bullmq put jobs on it and see them end.
//
// All versions send the documented examples unchanged, correlation ids included. What the first of them sent is
// therefore executed, and what the others send is answered with the first one's result: a producer's retry. Everything
// else carries ids of its own and is executed for each version.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as bullmq4 from 'bullmq4';
import * as bullmq5 from 'bullmq5';
import * as bullmq6 from 'bullmq6';
import Redis from 'ioredis';
import { billzModels } from './models.mjs';
import { billzMongoUri, connect, fixture, queueName, queuePrefix, redisOptions, unique, uniquePhone } from './environment.mjs';
import { ledger } from './sandbox.mjs';
import { until, within } from './waiting.mjs';

const versions = { 'bullmq 4': bullmq4, 'bullmq 5': bullmq5, 'bullmq 6': bullmq6 };

/** What the documented examples take for granted, and the sandbox has: a sale, a product at 75, a payment type. */
const order = { id: 'order123', productId: 'product123', card: 'card123' };

let database;

before(async () => {
  database = await connect(billzMongoUri, billzModels);
  const { payload } = await fixture('place_order');
  await database.Client.create({ _id: payload.clientIdSys, phone: 998901112233, firstName: 'Aziza', lastName: 'Karimova' });
  await database.Seller.create({ _id: payload.createdBy, externalID: 'emp124', name: 'Malika' });
});

after(async () => {
  await database.connection.close();
});

for (const [version, { Queue, QueueEvents }] of Object.entries(versions)) {
  describe(version, () => {
    let queue;
    let events;
    let redis;

    before(async () => {
      redis = new Redis(redisOptions());
      const options = { connection: redisOptions(), prefix: queuePrefix };
      queue = new Queue(queueName, options);
      events = new QueueEvents(queueName, options);
      await within('the queue', Promise.all([queue.waitUntilReady(), events.waitUntilReady()]));
    });

    after(async () => {
      await Promise.all([queue.close(), events.close(), redis.quit()]);
    });

    /** Adds a job under a name that means nothing, as producers do, and returns what Node sees as its result. */
    async function run(data, options) {
      const job = await queue.add(unique('any-name'), data, options);
      const result = await job.waitUntilFinished(events, 30_000);
      return { job, result };
    }

    const send = (type, payload, options) => run({ type, payload, correlationId: unique('correlation'), timestamp: Date.now() }, options);
    const resultOf = async (type, payload) => (await send(type, payload)).result;

    async function assertStored(job, result) {
      const stored = await queue.getJob(job.id);
      assert.equal(await stored.getState(), 'completed');
      assert.deepEqual(stored.returnvalue, result, 'the stored return value is another one');
      assert.equal(await attempts(job), 1);
    }

    /** How often the job was started. Version 4 does not know this count, so it is read where it is kept. */
    async function attempts(job) {
      return Number(await redis.hget(`${queuePrefix}:${queueName}:${job.id}`, 'ats'));
    }

    test('the documented CREATE_CLIENT', async () => {
      const { job, result } = await run(await fixture('create_client'));
      assert.deepEqual(Object.keys(result).toSorted(), ['clientId', 'created']);
      assert.equal(typeof result.clientId, 'string');
      assert.equal(result.created, true);
      await assertStored(job, result);
    });

    test('the documented ADD_ITEM', async () => {
      const { job, result } = await run(await fixture('add_item'));
      assert.equal(result.orderId, order.id);
      await assertStored(job, result);
    });

    test('the documented MAKE_PAYMENT', async () => {
      const { job, result } = await run(await fixture('make_payment'));
      assert.deepEqual(result, { orderId: order.id, paid: true, alreadyPaid: false });
      await assertStored(job, result);
    });

    test('the documented PLACE_ORDER', async () => {
      const example = await fixture('place_order');
      const { job, result } = await run(example);
      assert.equal(result.orderId, String(example.payload.orderID));
      assert.equal(typeof result.billzOrderId, 'string');
      assert.equal(typeof result.billzClientId, 'string');
      assert.deepEqual(result.items, [{ productId: 'prod123', qty: 2 }]);
      assert.equal(result.parked, true);
      assert.equal(result.paid, false);
      assert.equal(result.alreadyPlaced, false);
      await assertStored(job, result);
    });

    test('GET_ORDER returns the sale as Billz tells it', async () => {
      const sale = await resultOf('GET_ORDER', { orderId: order.id });
      assert.equal(sale.id, order.id);
      assert.equal(sale.order_detail.total_price, 150);
      assert.ok(sale.finished_at || sale.sold_at, 'the sale is paid');
    });

    test('a client is made once for a phone number', async () => {
      const client = { clientPhone: uniquePhone(), clientFirstName: 'Aziza', clientLastName: 'Karimova' };
      const first = await resultOf('CREATE_CLIENT', client);
      assert.equal(first.created, true);
      assert.deepEqual(await resultOf('CREATE_CLIENT', client), { clientId: first.clientId, created: false });
    });

    test('every operation on one sale, to its payment', async () => {
      const { orderId } = await resultOf('CREATE_ORDER', {});
      const { clientId } = await resultOf('CREATE_CLIENT', { clientPhone: uniquePhone(), clientFirstName: 'Olim' });
      assert.equal((await resultOf('ADD_ITEM', { productId: order.productId, qty: 2, orderId })).orderId, orderId);
      assert.deepEqual(await resultOf('ADD_CLIENT', { customerId: clientId, orderId }), { orderId, customerId: clientId });
      assert.deepEqual(await resultOf('CREATE_DISCOUNT', { orderId, amount: 30, totalPrice: 150 }), { orderId, total: 120 });
      const parked = await resultOf('POSTPONE_ORDER', { orderId, comment: 'for tomorrow' });
      assert.equal(parked.orderId, orderId);
      assert.ok(parked.until);
      assert.deepEqual(await resultOf('CANCEL_POSTPONE', { orderId }), { orderId });
      const payment = { orderId, cardId: order.card, totalPrice: 120 };
      assert.deepEqual(await resultOf('MAKE_PAYMENT', payment), { orderId, paid: true, alreadyPaid: false });
      assert.deepEqual(await resultOf('MAKE_PAYMENT', payment), { orderId, paid: true, alreadyPaid: true });
      const happened = await ledger();
      assert.equal(happened.paymentsOf(orderId).length, 1);
      assert.equal(happened.paymentsOf(orderId)[0].amount, 120);
    });

    test('a card of the shop’s own database stands for its payment type', async () => {
      const card = await database.Card.create({ name: 'Terminal', externalID: order.card });
      const closed = await database.Card.create({ name: 'Old terminal', externalID: order.card, isActive: false });
      const { orderId } = await resultOf('CREATE_ORDER', {});
      await resultOf('ADD_ITEM', { productId: order.productId, qty: 1, orderId });
      await assert.rejects(resultOf('MAKE_PAYMENT', { orderId, cardId: closed.id, totalPrice: 75 }), /card/i);
      const paid = await resultOf('MAKE_PAYMENT', { orderId, cardId: card.id, totalPrice: 75 });
      assert.deepEqual(paid, { orderId, paid: true, alreadyPaid: false });
    });

    test('a draft is deleted, and deleting it again is no failure', async () => {
      const { orderId } = await resultOf('CREATE_ORDER', {});
      assert.deepEqual(await resultOf('DELETE_ORDER', { orderId }), { orderId });
      assert.deepEqual(await resultOf('DELETE_ORDER', { orderId }), { orderId });
    });

    /** Adds a job that must fail for good at its first attempt although it asks for five, and returns the reason. */
    async function refusal(data) {
      const job = await queue.add('any-name', data, { attempts: 5, backoff: { type: 'exponential', delay: 1000 } });
      await assert.rejects(job.waitUntilFinished(events, 30_000));
      const failed = await until('the failed job', async () => {
        const found = await queue.getJob(job.id);
        return (await found.isFailed()) && found;
      });
      assert.equal(await attempts(job), 1, 'it was tried more than once');
      assert.equal(failed.returnvalue, null);
      return failed.failedReason;
    }

    test('an unknown type is refused at once, and the known ones are named', async () => {
      const reason = await refusal({ type: 'SELL_SHOP', payload: {} });
      assert.match(reason, /SELL_SHOP/);
      for (const known of ['CREATE_CLIENT', 'MAKE_PAYMENT', 'PLACE_ORDER']) assert.match(reason, new RegExp(known));
    });

    test('a bad payload is refused at once, and every wrong field is named', async () => {
      const reason = await refusal({ type: 'ADD_ITEM', payload: { qty: 'many', orderId: order.id } });
      assert.match(reason, /productId/);
      assert.match(reason, /qty/);
      assert.match(reason, /expected/);
      assert.match(await refusal({ type: 'ADD_ITEM' }), /payload/);
      assert.ok(await refusal('not an object'));
    });

    test('an idle worker starts a job within a second', async () => {
      const waits = [];
      for (let round = 0; round < 5; round += 1) {
        const { job } = await send('GET_ORDER', { orderId: order.id });
        const { timestamp, processedOn } = await queue.getJob(job.id);
        waits.push(processedOn - timestamp);
      }
      // The median, since a machine that is busy with something else may stand still for a second.
      assert.ok(waits.toSorted((a, b) => a - b)[2] < 1000, `started after ${waits.join(', ')} ms`);
    });

    test('a job that asks for it is removed when it is done', async () => {
      const { job } = await send('GET_ORDER', { orderId: order.id }, { removeOnComplete: true });
      assert.equal(await queue.getJob(job.id), undefined);
      const { job: kept } = await send('GET_ORDER', { orderId: order.id });
      assert.ok(await queue.getJob(kept.id));
    });

    // Version 4 lists only workers without a name, whoever wrote them; a name tells an operator more.
    if (version !== 'bullmq 4') {
      test('the worker is listed by its name', async () => {
        const workers = await queue.getWorkers();
        assert.ok(workers.length >= 1, 'no worker is listed');
        assert.match(workers[0].rawname, /:w:billwright/, JSON.stringify(workers[0]));
      });
    }

    test('a delayed job waits for its time, and one that repeats its id is one job', async () => {
      const jobId = unique('own-id');
      const data = { type: 'GET_ORDER', payload: { orderId: order.id } };
      const job = await queue.add('any-name', data, { delay: 300, jobId });
      const again = await queue.add('any-name', data, { jobId });
      assert.equal(again.id, job.id);
      await job.waitUntilFinished(events, 30_000);
      const { timestamp, processedOn } = await queue.getJob(jobId);
      assert.ok(processedOn - timestamp >= 300, `started after ${processedOn - timestamp} ms`);
    });
  });
}

describe('the documented examples, sent by three producers', () => {
  test('had their effect once', async () => {
    const happened = await ledger();
    assert.equal(happened.paymentsOf(order.id).length, 1);
    const [line, ...others] = happened.sale(order.id).lines;
    assert.deepEqual([line.product_id, line.quantity, line.seller_ids, others], [order.productId, 2, ['emp123'], []]);
    const placed = await database.Order.find({ orderID: '12345' });
    assert.equal(placed.length, 1);
    const [sale, ...sales] = happened.salesWithComment('12345');
    assert.deepEqual([sale.state, sale.total, sale.comment, sales], ['parked', 100, 'Order 12345 - Tashkent', []]);
    assert.deepEqual(sale.lines[0].seller_ids, ['emp124']);
    assert.equal(happened.clientsWithPhone('+1234567890').length, 1);
  });
});
