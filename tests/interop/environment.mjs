// Where everything is. `cargo xtask interop` starts it all and sets these variables; see README.md to run a file by hand.

import { readFile } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import mongoose from 'mongoose';

function needed(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run the tests with \`cargo xtask interop\`, or see tests/interop/README.md`);
  }
  return value;
}

export const billwrightUrl = needed('BILLWRIGHT_URL');
export const billzMongoUri = needed('BILLZ_MONGODB_URI');
export const billingMongoUri = needed('BILLING_MONGODB_URI');
export const redisUrl = needed('REDIS_URL');
export const queuePrefix = needed('BULLMQ_PREFIX');
export const kafkaBrokers = needed('KAFKA_BROKERS').split(',');
export const kafkaTopic = needed('KAFKA_TOPIC');
export const sandboxUrl = needed('SANDBOX_URL');

export const queueName = 'billz-operations';

/** The connection options that every version of bullmq takes. */
export function redisOptions() {
  const url = new URL(redisUrl);
  return {
    host: url.hostname,
    port: Number(url.port || 6379),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    db: Number(url.pathname.slice(1) || 0),
    maxRetriesPerRequest: null,
  };
}

/** One of the documented examples, exactly as the services' own documentation prints it. */
export async function fixture(name) {
  return JSON.parse(await readFile(new URL(`./fixtures/${name}.json`, import.meta.url), 'utf8'));
}

/** A name that no other run and no other test uses. */
export const unique = (label) => `${label}-${randomUUID()}`;

/** A phone number that no other run uses; the digits are those of a UUID. */
export const uniquePhone = () => `+9989${(BigInt(`0x${randomUUID().replaceAll('-', '')}`) % 100_000_000n).toString().padStart(8, '0')}`;

/** A connection to one product's database, and the models of its owners on it. */
export async function connect(uri, models) {
  const connection = await mongoose.createConnection(uri, { autoIndex: false, autoCreate: false }).asPromise();
  return { connection, ...models(connection) };
}
