// What really happened in the stand-in for Billz, as its ledger tells it. It holds from the start what the documented
// examples name: the sale `order123`, the products `product123` at 75 and `prod123` at 50, the payment type `card123`.

import { sandboxUrl } from './environment.mjs';

/** A snapshot of the ledger. */
export async function ledger() {
  const response = await fetch(new URL('/__sandbox/ledger', sandboxUrl));
  if (!response.ok) throw new Error(`the sandbox answered ${response.status}: ${await response.text()}`);
  const books = await response.json();
  const digits = (text) => text.replaceAll(/\D/g, '');
  return {
    sale: (id) => books.orders.find((order) => order.id === id),
    paymentsOf: (id) => books.payments.filter((payment) => payment.order_id === id),
    salesWithComment: (text) => books.orders.filter((order) => !order.deleted && order.comment.includes(text)),
    clientsWithPhone: (phone) => books.clients.filter((client) => digits(client.phone_number) === digits(phone)),
    messages: books.messages,
  };
}
