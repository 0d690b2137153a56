// Mongoose models as the owners of the databases have them: the fields of both products' documents, and nothing of
// Billwright's own. `strict` stays on, so that a field that the owners do not know is one that Mongoose keeps silently.

import mongoose from 'mongoose';

const { Schema } = mongoose;
const { Mixed, ObjectId } = Schema.Types;

const address = new Schema({ city: String, country: String, zipCode: String, address: String }, { _id: false });

const user = new Schema(
  {
    userId: { type: String, required: true, unique: true },
    address: address,
    phone: new Schema({ codeNumber: { type: String, default: '+57' }, phoneNumber: Number }, { _id: false }),
    isActive: { type: Boolean, default: true },
  },
  { timestamps: true },
);

const billing = new Schema(
  {
    userId: { type: String, required: true, index: true },
    billingId: { type: String, required: true, unique: true },
    generationDate: { type: Date, required: true },
    dueDate: { type: Date, required: true },
    serviceId: String,
    totalInvoice: Number,
    isPaid: { type: Boolean, default: false },
    paymentDate: { type: Date, default: null },
    phone: Mixed,
  },
  { timestamps: true },
);

const counter = new Schema({ _id: { type: String, required: true }, seq: { type: Number, default: 0 } });

/** The models of the billing product. */
export const billingModels = (connection) => ({
  User: connection.model('User', user),
  Billing: connection.model('Billing', billing),
  Counter: connection.model('Counter', counter),
});

const product = new Schema(
  {
    productID: String,
    name: Mixed,
    imageUrl: String,
    COLOR: Mixed,
    SIZE: Mixed,
    sku: String,
    barCode: String,
    qty: Number,
    subTotalPrice: Number,
    discountAmount: Number,
    totalPrice: Number,
  },
  { _id: false },
);

const order = new Schema(
  {
    datePaid: Date,
    amoCrmId: String,
    billzId: { type: String, index: true },
    billzAmount: Number,
    paidAmount: Number,
    orderID: { type: String, index: true },
    order_number: { type: Number, index: true },
    tgMsgId: String,
    orderAcceptedByManager: Date,
    instagram: String,
    isRefund: Boolean,
    isPostPonement: Boolean,
    postPonementDate: Date,
    billzStoreID: String,
    isPaid: Boolean,
    deliveryStatus: {
      type: String,
      enum: ['pending', 'packaging', 'packaged', 'delivering', 'delivered'],
      default: 'pending',
    },
    comment: String,
    deliveryComment: String,
    deliveryTime: Date,
    storeId: ObjectId,
    store: String,
    utm_store_source: String,
    paymentMethod: { type: String, default: 'online' },
    orderType: {
      type: String,
      enum: [
        'mytaxi', 'mytaxi_paid', 'uzpost', 'point_of_sale', 'delivery', 'delivery_paid', 'location',
        'Yandex', 'Yandex_paid', 'province', 'province_paid', 'emu', 'bts',
      ],
      default: 'delivery',
    },
    subTotalPrice: { type: Number, required: true },
    totalPrice: { type: Number, required: true },
    discountAmount: Number,
    deliverySubTotalPrice: Number,
    products: [product],
    closedPackager: ObjectId,
    regionId: ObjectId,
    subRegionId: ObjectId,
    driverId: ObjectId,
    userId: ObjectId,
    images: { type: [String], default: undefined },
    region: String,
    subRegion: String,
    employeeID: String,
    acceptedManager: ObjectId,
    createdBy: ObjectId,
    clientID: String,
    clientInfo: Mixed,
    clientIdSys: ObjectId,
    deliveryAddress: {
      street: String, city: String, postalCode: String, fullAddress: String, apartment: String,
      floor: String, entrance: String, intercom: String, landmark: String,
    },
    coordinates: { latitude: Number, longitude: Number, accuracy: Number },
    mapData: { placeId: String, geocodedAddress: String, mapProvider: { type: String, enum: ['google', 'yandex'] } },
    deliveryInstructions: { specialInstructions: String, preferredTime: String, contactMethod: String },
  },
  { timestamps: true },
);

const card = new Schema(
  {
    name: { type: String, required: true },
    externalID: String,
    isActive: { type: Boolean, default: true },
    createdBy: ObjectId,
  },
  { timestamps: true },
);

const client = new Schema(
  {
    phone: Number,
    billzId: String,
    firstName: { type: String, required: true },
    lastName: String,
    createdBy: ObjectId,
    birthday: Date,
  },
  { timestamps: true },
);

const seller = new Schema({ externalID: String, name: String, phone: Number }, { timestamps: true });

const log = new Schema(
  {
    section: { type: String, required: true },
    action: { type: String, required: true, enum: ['create', 'update', 'get', 'delete'] },
    orderId: String,
    description: { type: Object, required: true },
    success: { type: Boolean, required: true },
    correlationId: String,
    errorMessage: String,
  },
  { timestamps: true },
);

/** The models of the order worker's product. Its `users` are the people who sell. */
export const billzModels = (connection) => ({
  Order: connection.model('Order', order),
  Card: connection.model('Card', card),
  Client: connection.model('Client', client),
  Seller: connection.model('User', seller),
  Log: connection.model('Log', log),
});
