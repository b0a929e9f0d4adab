package client_test

import (
	"context"
	"fmt"
	"log"
	"net/url"
	"time"

	"github.com/keephold/keephold/client"
)

// exampleServer stands for a server with an environment shop/prod.
func exampleServer() *keep {
	k, err := startDev()
	if err != nil {
		log.Fatal(err)
	}
	err = k.fill("shop/prod", map[string]string{
		"DATABASE_URL": "postgresql://shop@db.internal/shop", "STRIPE_KEY": "an obviously made up key", "WORKERS": "4", "DEBUG": "off",
		"ORIGINS": "https://shop.example, https://www.shop.example", "CACHE_HOST": "cache.internal",
	})
	if err != nil {
		log.Fatal(err)
	}
	return k
}

// A struct says what a program needs; what is missing or of the wrong type is told all at once.
func ExampleSpace_Bind() {
	k := exampleServer()
	defer k.stop()

	c, err := client.New(k.addr, client.WithToken(k.token))
	if err != nil {
		log.Fatal(err)
	}
	var cfg struct {
		Database  url.URL       `keephold:"DATABASE_URL,required"`
		StripeKey client.Value  `keephold:"STRIPE_KEY,required"`
		Workers   int           `keephold:"WORKERS"`
		Debug     bool          `keephold:"DEBUG"`
		Origins   []string      `keephold:"ORIGINS"`
		Timeout   time.Duration `keephold:"TIMEOUT" default:"30s"`
		Cache     struct {
			Host string `keephold:"HOST"`
			Port uint16 `keephold:"PORT" default:"6379" type:"port"`
		} `keephold:",prefix=CACHE_"`
	}
	if err := c.Space("shop/prod").Bind(context.Background(), &cfg); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cfg.Database.Host, cfg.Workers, cfg.Debug, len(cfg.Origins), cfg.Timeout)
	fmt.Println(cfg.Cache.Host, cfg.Cache.Port)
	fmt.Println("printed:", cfg.StripeKey, "of", cfg.StripeKey.Len(), "bytes") // cfg.StripeKey.Text() gives it away
	// Output:
	// db.internal 4 false 2 30s
	// cache.internal 6379
	// printed: [redacted] of 24 bytes
}

func ExampleSpace_Read() {
	k := exampleServer()
	defer k.stop()

	c, err := client.New(k.addr, client.WithToken(k.token))
	if err != nil {
		log.Fatal(err)
	}
	s, err := c.Space("shop/prod").Read(context.Background(), "DATABASE_URL")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Value.Text(), s.Version)
	// Output: postgresql://shop@db.internal/shop 1
}

// A watch yields the settings at the start and whenever they changed.
func ExampleSpace_Watch() {
	k := exampleServer()
	defer k.stop()

	c, err := client.New(k.addr, client.WithToken(k.token))
	if err != nil {
		log.Fatal(err)
	}
	for values, err := range c.Space("shop/prod").Watch(context.Background(), time.Second) {
		if err != nil {
			log.Print(err) // and go on with the settings there are
			continue
		}
		workers, _ := values.Lookup("WORKERS")
		fmt.Println("workers:", workers.Text())
		if workers.Text() == "8" {
			break
		}
		if _, err := k.do("PUT", "keephold/value/shop/prod/WORKERS", map[string]string{"text": "8"}); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// workers: 4
	// workers: 8
}

func ExampleSpace_List() {
	k := exampleServer()
	defer k.stop()

	c, err := client.New(k.addr, client.WithAppRole(k.roleID, k.secretID)) // signs in, and again when it has to
	if err != nil {
		log.Fatal(err)
	}
	names, err := c.Space("secret").List(context.Background(), "")
	fmt.Println(names, err)
	// Output: [] <nil>
}
