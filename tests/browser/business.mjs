// What goes on behind the pages: jobs of Node producers, events of customers, and the owners' documents.

import { Queue, QueueEvents } from 'bullmq';
import { Kafka, logLevel } from 'kafkajs';
import { MongoClient, ObjectId } from 'mongodb';
import {
  billingMongoUri,
  billzMongoUri,
  kafkaBrokers,
  kafkaTopic,
  queueName,
  queuePrefix,
  redisOptions,
  unique,
} from './environment.mjs';

/** Connections to everything. */
export async function openBusiness() {
  const options = { connection: redisOptions(), prefix: queuePrefix };
  const queue = new Queue(queueName, options);
  const events = new QueueEvents(queueName, options);
  const mongo = { billz: new MongoClient(billzMongoUri), billing: new MongoClient(billingMongoUri) };
  const producer = new Kafka({ clientId: 'browser-tests', brokers: kafkaBrokers, logLevel: logLevel.NOTHING }).producer();
  await Promise.all([
    queue.waitUntilReady(),
    events.waitUntilReady(),
    mongo.billz.connect(),
    mongo.billing.connect(),
    producer.connect(),
  ]);
  const add = (type, payload) =>
    queue.add(type, { type, payload, correlationId: unique('browser') });
  return {
    add,
    /** Runs a job to its end and gives its result. */
    async run(type, payload) {
      return (await add(type, payload)).waitUntilFinished(events, 30_000);
    },
    billz: mongo.billz.db(),
    billing: mongo.billing.db(),
    /** Sends what is no string as JSON. */
    async send(key, value) {
      const text = typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value);
      await producer.send({ topic: kafkaTopic, messages: [{ key, value: text }] });
    },
    /** A sale with a payment that was refused, since its card is not active. */
    async failedPayment() {
      const card = { _id: new ObjectId(), name: 'Terminal', externalID: 'card123', isActive: false };
      await this.billz.collection('cards').insertOne(card);
      const { orderId } = await this.run('CREATE_ORDER', {});
      await this.run('ADD_ITEM', { orderId, productId: 'product123', qty: 2 });
      const job = await add('MAKE_PAYMENT', { orderId, cardId: card._id.toHexString(), totalPrice: 150 });
      await job.waitUntilFinished(events, 30_000).then(
        () => {
          throw new Error('the payment should have failed');
        },
        () => undefined,
      );
      return {
        orderId,
        jobId: job.id,
        /** Removes the cause. */
        mend: () => this.billz.collection('cards').updateOne({ _id: card._id }, { $set: { isActive: true } }),
      };
    },
    async close() {
      await Promise.all([queue.close(), events.close(), producer.disconnect(), mongo.billz.close(), mongo.billing.close()]);
    },
  };
}
