module domicile.dev/e2e/node-image/runtime

go 1.26.0
