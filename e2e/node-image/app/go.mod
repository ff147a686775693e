module domicile.dev/e2e/node-image/app

go 1.26.0
