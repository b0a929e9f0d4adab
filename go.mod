module github.com/keephold/keephold

go 1.26

require github.com/hashicorp/hcl v1.0.0
