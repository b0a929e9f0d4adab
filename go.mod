module github.com/keephold/keephold

go 1.26
