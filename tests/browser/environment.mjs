// Where everything is. `cargo xtask browser` starts it all and sets these variables.

import { randomUUID } from 'node:crypto';

function needed(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: run the tests with \`cargo xtask browser\`, see tests/browser/README.md`);
  }
  return value;
}

export const billwrightUrl = needed('BILLWRIGHT_URL');
export const billzMongoUri = needed('BILLZ_MONGODB_URI');
export const billingMongoUri = needed('BILLING_MONGODB_URI');
export const queuePrefix = needed('BULLMQ_PREFIX');
export const kafkaBrokers = needed('KAFKA_BROKERS').split(',');
export const kafkaTopic = needed('KAFKA_TOPIC');
export const chromiumPath = needed('BILLWRIGHT_CHROMIUM');
export const queueName = 'billz-operations';

/** The password of everybody in `users.txt`. */
export const password = 'correct horse battery';

/** The connection options for bullmq. */
export function redisOptions() {
  const url = new URL(needed('REDIS_URL'));
  return {
    host: url.hostname,
    port: Number(url.port || 6379),
    username: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || undefined,
    db: Number(url.pathname.slice(1) || 0),
    maxRetriesPerRequest: null,
  };
}

/** A name that no other run and no other test uses. */
export const unique = (label) => `${label}-${randomUUID()}`;
