# Signing in.
login-title = Sign in
login-name = Name
login-password = Password
login-button = Sign in
login-wrong = The name or the password is wrong.
login-too-often = Too many attempts. Try again in { $seconds ->
    [one] { $seconds } second
   *[other] { $seconds } seconds
}.
login-signed-out = You are signed out.
