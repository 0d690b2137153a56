# Who did what.
audit-title = Audit
audit-empty = Bu yerda hali hech kim hech narsa qilmagan.
audit-when = Qachon
audit-who = Kim
audit-action = Amal
audit-target = Nima ustida
audit-outcome = Natija
audit-address = Qayerdan
audit-begun = boshlangan
audit-done = bajarilgan
audit-refused = rad etilgan
audit-failed = bajarilmadi
