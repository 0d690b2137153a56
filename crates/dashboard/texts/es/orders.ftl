# Los pedidos según sus propios documentos.
orders-title = Pedidos
orders-all = todos
orders-paid = pagado
orders-parked = hecho
orders-refused = no se pudo hacer
orders-unplaced = no está en Billz
orders-none = No hay pedidos así.
orders-search = Buscar un pedido
orders-search-hint = El número o id de un pedido, el id de su venta en Billz o el teléfono del cliente. El teléfono se muestra oculto.
orders-number = Número
orders-state = Estado
orders-total = Total
orders-billz-id = Venta en Billz
orders-delivery = Entrega
orders-created = Creado
orders-error = Por qué no
