# Signing in.
login-title = Kirish
login-name = Ism
login-password = Parol
login-button = Kirish
login-wrong = Ism yoki parol noto‘g‘ri.
login-too-often = Urinishlar juda ko‘p. { $seconds ->
    [one] { $seconds } soniyadan
   *[other] { $seconds } soniyadan
} keyin qayta urinib ko‘ring.
login-signed-out = Siz chiqdingiz.
