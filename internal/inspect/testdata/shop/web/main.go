package main

import "os"

const name = "GO_CONST"

type config struct {
	Token string `env:"GO_TOKEN,required"`
	Size  int    `env:"GO_SIZE" envDefault:"3"`
}

func main() {
	_ = os.Getenv(name)
	if v, ok := os.LookupEnv("GO_LOOKED"); ok {
		_ = v
	}
	_ = os.Getenv("GO_" + name)
}
