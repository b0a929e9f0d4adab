//go:build unix

package server

import (
	"bytes"
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/keephold/keephold/internal/auth/machine"
	"github.com/keephold/keephold/internal/auth/sigv4"
	"github.com/keephold/keephold/internal/custody"
	"github.com/keephold/keephold/internal/front/azurekv"
	"github.com/keephold/keephold/internal/secret"
)

// spread is how many secrets each dialect's Space holds.
const spread = 1000

// clouds is what the clients of the clouds sign in with.
type clouds struct {
	AWSKey, AWSSecret        string
	GoogleAccount, GoogleKey string // and its private key, PEM
	GoogleKeyID              string
	AzureHeader              string
}

// furnishClouds fills a Space of each dialect with the same values.
func furnishClouds(ctx context.Context, d *Dev, hello *greeting) error {
	if err := d.Complete(ctx); err != nil {
		return err
	}
	aws, google, azure := d.Identities[machine.AWSKey], d.Identities[machine.GCPAccount], d.Identities[machine.AzureUser]
	hello.Clouds = clouds{
		AWSKey: aws.Key.ID, AWSSecret: string(aws.Secret.Reveal()),
		GoogleAccount: google.Identity.Public, GoogleKey: string(google.Secret.Reveal()), GoogleKeyID: google.Key.ID,
		AzureHeader: string(azurekv.IdentityHeader(azure.Identity.Public, azure.Secret).Reveal()),
	}
	local, err := d.cfg.Keep.Desk.Local()
	if err != nil {
		return err
	}
	for _, sp := range devSpaces() {
		if sp.Home == secret.Vault {
			continue
		}
		err := crowded(spread, func(n int) error {
			ref := secret.Ref{Space: sp.Name}
			ref.Path, _ = secret.ParsePath(cloudName(uint64(n)))
			_, err := d.cfg.Keep.Desk.Write(ctx, local, ref, custody.Put{Value: secret.NewValue(secretData(uint64(n))), Kind: secret.Text})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func cloudName(n uint64) string { return fmt.Sprintf("service-%03d", n%spread) }

// loadDialects reads through every dialect beside the Vault dialect's read of the same bytes, in the same rounds.
func loadDialects(b *testing.B) {
	keep := spawn(b, "keep", order{Dir: storeDir(b), Secrets: spread, Clouds: true})
	vault := readOf(keep, spread)
	for _, d := range []struct {
		name string
		ask  question
	}{
		{"AWS", awsReads(b, keep)}, {"Google REST", googleReads(b, keep)}, {"Azure", azureReads(b, keep)},
	} {
		keep.compareWith(b, keep, 16, fmt.Sprintf("read %s against Vault c=16", d.name), d.ask, vault)
	}
	grpcReads(b, keep, vault)
}

// awsReads makes one request for each secret, as a client signs them for the next fifteen minutes.
func awsReads(b *testing.B, ch *child) question {
	now := time.Now().UTC()
	date, stamp := now.Format("20060102"), now.Format("20060102T150405Z")
	scope := date + "/" + DevRegion + "/secretsmanager/aws4_request"
	key := sigv4.SigningKey([]byte(ch.Clouds.AWSSecret), date, DevRegion, "secretsmanager")
	const target, names = "secretsmanager.GetSecretValue", "content-type;host;x-amz-date;x-amz-target"
	requests := make([][]byte, spread)
	for i := range requests {
		body := fmt.Sprintf(`{"SecretId":%q}`, cloudName(uint64(i)))
		sum := sha256.Sum256([]byte(body))
		canonical := sha256.Sum256([]byte(strings.Join([]string{
			"POST", "/", "", "content-type:application/x-amz-json-1.1", "host:" + ch.addr, "x-amz-date:" + stamp, "x-amz-target:" + target, "", names, hex.EncodeToString(sum[:]),
		}, "\n")))
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte("AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(canonical[:])))
		requests[i] = fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: %s\r\nUser-Agent: Boto3/1.44\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Date: %s\r\nX-Amz-Target: %s\r\n"+
			"Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x\r\nContent-Length: %d\r\n\r\n%s",
			ch.addr, stamp, target, ch.Clouds.AWSKey, scope, names, mac.Sum(nil), len(body), body)
	}
	return func(buf []byte, n uint64) []byte { return append(buf, requests[n%spread]...) }
}

// assertion is what Google's clients sign for an hour.
func assertion(b *testing.B, c clouds) string {
	b.Helper()
	block, _ := pem.Decode([]byte(c.GoogleKey))
	if block == nil {
		b.Fatal("the service account's key is no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		b.Fatal(err)
	}
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			b.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	now := time.Now().Unix()
	text := encode(map[string]any{"alg": "RS256", "typ": "JWT", "kid": c.GoogleKeyID}) + "." + encode(map[string]any{
		"iss": c.GoogleAccount, "sub": c.GoogleAccount, "iat": now, "exp": now + 3600, "aud": "https://secretmanager.googleapis.com/",
	})
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key.(*rsa.PrivateKey), crypto.SHA256, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func bearer(ch *child, token string, path func(n uint64) string) question {
	return func(buf []byte, n uint64) []byte {
		return fmt.Appendf(buf, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sdk\r\nAuthorization: Bearer %s\r\n\r\n", path(n), ch.addr, token)
	}
}

func googleReads(b *testing.B, ch *child) question {
	return bearer(ch, assertion(b, ch.Clouds), func(n uint64) string {
		return "/v1/projects/" + DevProject + "/secrets/" + cloudName(n) + "/versions/latest:access"
	})
}

// azureReads asks for a token as a managed identity does, and reads with it.
func azureReads(b *testing.B, ch *child) question {
	b.Helper()
	rq, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+ch.addr+"/msi/token?api-version=2019-08-01&resource=https://"+DevDomain, nil)
	if err != nil {
		b.Fatal(err)
	}
	rq.Header.Set("X-Identity-Header", ch.Clouds.AzureHeader)
	resp, err := http.DefaultClient.Do(rq)
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // everything was read
	var answer struct {
		Token string `json:"access_token"`
	}
	if err != nil || json.Unmarshal(text, &answer) != nil || answer.Token == "" {
		b.Fatalf("no token: %s %.200s", resp.Status, bytes.TrimSpace(text))
	}
	return func(buf []byte, n uint64) []byte {
		return fmt.Appendf(buf, "GET /secrets/%s?api-version=7.6 HTTP/1.1\r\nHost: %s.%s\r\nUser-Agent: azsdk\r\nAuthorization: Bearer %s\r\n\r\n", cloudName(n), DevVault, DevDomain, answer.Token)
	}
}

// grpcReads reads by gRPC, on as many connections as the Vault dialect has: with a client as lean as the others, and with the vendor's
// library, which works far more than ours on the same processors. There the server's CPU is the figure to look at.
func grpcReads(b *testing.B, ch *child, vault question) {
	const c = 16
	token := assertion(b, ch.Clouds)
	plain, lean := gather(b, ch, c), gatherCalls(b, ch, c, "/google.cloud.secretmanager.v1.SecretManagerService/AccessSecretVersion", token)
	plain.ask(b, roundTime(), vault)
	lean.ask(b, roundTime(), accessCall)
	stop := ch.profile(b)
	got := new(comparison)
	for range rounds() {
		f := plain.ask(b, roundTime(), vault)
		got.add(lean.ask(b, roundTime(), accessCall), f)
	}
	stop()
	got.report(b, "read Google gRPC against Vault c=16")

	ctx := metadata.AppendToOutgoingContext(b.Context(), "authorization", "Bearer "+token)
	var clients [c]secretmanagerpb.SecretManagerServiceClient
	for i := range clients {
		conn, err := grpc.NewClient(ch.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = conn.Close() }() // at the end of the scene
		clients[i] = secretmanagerpb.NewSecretManagerServiceClient(conn)
	}
	ask := func() round {
		var stop atomic.Bool
		var total atomic.Int64
		var failure atomic.Pointer[error]
		var all sync.WaitGroup
		before, start := ch.usage(b), time.Now()
		for i, client := range clients {
			all.Go(func() {
				for n := uint64(i); !stop.Load(); n += c {
					_, err := client.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: "projects/" + DevProject + "/secrets/" + cloudName(n) + "/versions/latest"})
					if err != nil {
						failure.Store(&err)
						return
					}
					total.Add(1)
				}
			})
		}
		time.Sleep(roundTime())
		stop.Store(true)
		all.Wait()
		if err := failure.Load(); err != nil {
			b.Fatal(*err)
		}
		after := ch.usage(b)
		return round{answers: int(total.Load()), seconds: time.Since(start).Seconds(), cpu: after.CPU - before.CPU}
	}
	ask()
	got = new(comparison)
	for range rounds() {
		f := plain.ask(b, roundTime(), vault)
		got.add(ask(), f)
	}
	got.report(b, "read Google gRPC by the vendor's client against Vault c=16")
}
