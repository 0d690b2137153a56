# Orders by their own documents.
orders-title = Orders
orders-all = all
orders-paid = paid
orders-parked = placed
orders-refused = not placed
orders-unplaced = not in Billz
orders-none = There are no such orders.
orders-search = Find an order
orders-search-hint = An order's number or id, its sale's id in Billz, or the client's phone number. A phone number is shown masked.
orders-number = Number
orders-state = State
orders-total = Total
orders-billz-id = Sale in Billz
orders-delivery = Delivery
orders-created = Created
orders-error = Why not
