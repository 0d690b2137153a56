# Заказы по их собственным документам.
orders-title = Заказы
orders-all = все
orders-paid = оплачен
orders-parked = оформлен
orders-refused = не оформлен
orders-unplaced = нет в Billz
orders-none = Таких заказов нет.
orders-search = Найти заказ
orders-search-hint = Номер или идентификатор заказа, идентификатор продажи в Billz либо номер телефона клиента. Номер телефона показывается скрытым.
orders-number = Номер
orders-state = Состояние
orders-total = Итого
orders-billz-id = Продажа в Billz
orders-delivery = Доставка
orders-created = Создан
orders-error = Почему нет
