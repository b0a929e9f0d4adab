package leak

// contextRules find secrets by the words round them rather than by a vendor's format.
func contextRules() []Rule {
	return []Rule{
		{
			ID: "private-key", Family: "private-key", Description: "a private key in PEM or armour", Confidence: High, Check: CheckPEM, Loose: true,
			Keywords: []string{"-----begin"},
			Pattern:  `-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY( BLOCK)?-----[^-]{40,24000}(-----END [A-Z0-9 ]{0,30}-----)?`,
		},
		{
			ID: "ssh2-private-key", Family: "private-key", Description: "a private key in SSH2 armour", Confidence: High, Loose: true,
			Keywords: []string{"begin ssh2"}, Pattern: `---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----[^-]{40,24000}`,
		},
		{
			ID: "putty-private-key", Family: "private-key", Description: "a private key of PuTTY", Confidence: High, Loose: true,
			Keywords: []string{"private-lines"}, Pattern: `Private-Lines: \d{1,4}\s{1,2}(<[A-Za-z0-9+/=\s]{40,12000})`,
		},
		{ID: "age-secret-key", Family: "age", Description: "an identity of age", Confidence: High, Check: CheckAge, Pattern: `AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}`},
		{ID: "age-plugin-key", Family: "age", Description: "an identity of an age plug-in", Confidence: High, Check: CheckAge, Pattern: `AGE-PLUGIN-[A-Z0-9-]{2,40}-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{20,400}`},
		{ID: "nats-user-seed", Family: "nats", Description: "a NATS seed", Confidence: Medium, Check: CheckNKey, Pattern: `SUA[A-Z2-7]{55}`},
		{ID: "nats-account-seed", Family: "nats", Description: "a NATS seed", Confidence: Medium, Check: CheckNKey, Pattern: `SAA[A-Z2-7]{55}`},
		{ID: "nats-operator-seed", Family: "nats", Description: "a NATS seed", Confidence: Medium, Check: CheckNKey, Pattern: `SOA[A-Z2-7]{55}`},
		{
			ID: "jwk-private", Family: "jwk", Description: "the private member of a JSON Web Key (RFC 7517)", Confidence: High, Loose: true, Keywords: []string{`"kty"`},
			Pattern: `"kty"[^}]{1,600}"(d|k)"\s{0,4}:\s{0,4}"(<[A-Za-z0-9_-]{16,800})"`, MinRandom: 30,
		},
		{
			ID: "jwk-private-first", Family: "jwk", Description: "the private member of a JSON Web Key (RFC 7517)", Confidence: High, Loose: true, Keywords: []string{`"d"`},
			Pattern: `"d"\s{0,4}:\s{0,4}"(<[A-Za-z0-9_-]{40,800})"`, MinRandom: 50,
		},
		{ID: "jwt", Family: "jwt", Description: "a signed token (RFC 7519)", Confidence: High, Check: CheckJWT, Keywords: []string{"eyj"}, Pattern: `eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{8,9000}(\.[A-Za-z0-9_-]{0,4000})?(\.[A-Za-z0-9_-]{0,9000}\.[A-Za-z0-9_-]{0,400})?`},
		{
			ID: "bearer", Family: "http-auth", Description: "a bearer token in a header (RFC 6750)", Confidence: Medium, Fold: true, MinRandom: 35, Keywords: []string{"bearer"},
			Pattern: `bearer["']?[ :=]{1,3}["']?(<[A-Za-z0-9_.~+/=-]{16,2000})`,
		},
		{
			ID: "basic-auth", Family: "http-auth", Description: "basic credentials in a header (RFC 7617)", Confidence: Medium, Fold: true, Keywords: []string{"basic"}, Check: CheckBasic,
			Pattern: `basic[ :]{1,2}["']?(<[A-Za-z0-9+/_-]{8,400}={0,2})`,
		},
		{
			ID: "authorization", Family: "http-auth", Description: "a credential in an Authorization header", Confidence: Medium, Fold: true, MinRandom: 40, Keywords: []string{"authorization"},
			Pattern: `authorization["'\\]{0,3}[ ]{0,2}[:=,][ ]{0,2}["'\\]{0,2}(token |apikey |api-key |apikey-v1 |key )?["']?(<[A-Za-z0-9_.~+/=:-]{16,2000})`,
		},
		{
			ID: "curl-user", Family: "shell", Description: "user and password of curl", Confidence: Medium, Human: true, Near: "curl", Keywords: []string{"-u", "--user", "--proxy-user"},
			Pattern: `(-u|--user|--proxy-user)[ =]{0,2}["']?[A-Za-z0-9_.@+-]{1,80}:(<[^\s"'$<{*:/][^\s"'<{]{2,120})["']?`,
		},
		{
			ID: "shell-password", Family: "shell", Description: "a password in an argument", Confidence: Low, Human: true, Keywords: []string{"sshpass", "psexec"}, Fold: true,
			Pattern: `(sshpass|psexec(\.exe)?)[ ]([^\n]{0,120}[ ])?["']?-p[ ]{0,1}["']?(<[^\s"'$<{*-][^\s"']{3,60})`,
		},
		{
			ID: "mysql-password", Family: "shell", Description: "a password in an argument of MySQL", Confidence: Low, Human: true, Keywords: []string{"mysqldump", "mysqladmin", "mysql "}, Fold: true,
			Pattern: `(mysqldump|mysqladmin|mysql)[ ]([^\n]{0,120}[ ])?["']?-p["']?(<[^\s"'$<{*-][^\s"']{3,60})`,
		},
		{
			ID: "password-argument", Family: "shell", Description: "a password in an argument", Confidence: Low, Human: true, Fold: true, Keywords: []string{"-password ", "--password=", "-passwd "},
			Pattern: `(-password |--password=|-passwd )["']?(<[^\s"'$<{*\[(-][^\s"'<]{3,80})`,
		},
		{
			ID: "netrc", Family: "netrc", Description: "a password in a netrc file", Confidence: Medium, Human: true, Keywords: []string{"machine "}, Fold: true,
			Pattern: `machine [^\s]{1,120}\s{1,8}login [^\s]{1,120}\s{1,8}password (<[^\s"']{3,200})`,
		},
		{
			ID: "connection-string", Family: "database", Description: "a password in a connection string", Confidence: Medium, Human: true, Fold: true, Loose: true, Keywords: []string{"pwd", "password"},
			Pattern: `;[^;\n"']{0,60}(pwd|password)\s{0,2}=\s{0,2}(<[^;\s"'$<{&][^;\s"'<]{2,80})["';]`,
		},
		{
			ID: "sql-password", Family: "database", Description: "a password in an SQL statement", Confidence: Medium, Human: true, Fold: true, Keywords: []string{"identified by"},
			Pattern: `identified by (password )?["'](<[^"'\n]{3,80})["']`,
		},
		{
			ID: "sql-role-password", Family: "database", Description: "a password in an SQL statement", Confidence: Medium, Human: true, Fold: true, Keywords: []string{"password '", "password e'"},
			Pattern: `password e?'(<[^'\n$%{][^'\n]{2,80})'`,
		},
		{
			ID: "ldap-directory-entry", Family: "ldap", Description: "a password of a directory entry", Confidence: Medium, Human: true, Keywords: []string{"directoryentry("}, Fold: true,
			Pattern: `directoryentry\(\s{0,20}"[^"\n]{1,200}",\s{0,40}"[^"\n]{1,100}",\s{0,40}"(<[^"\n]{3,100})"`,
		},
		{
			ID: "password-compared", Family: "generic", Description: "a password that code compares with", Confidence: Low, Human: true, Fold: true, Keywords: []string{"password", "passwd", "pwd", "secret"},
			Pattern: `(password|passwd|pwd|secret)["'\])]{0,3}\s{0,2}[=!]==?\s{0,2}["'](<[^"'\n$%{<][^"'\n]{3,60})["']`,
		},
		{
			ID: "wordpress-salt", Family: "wordpress", Description: "a key or salt of a WordPress configuration", Confidence: High, Fold: true, MinRandom: 20,
			Keywords: []string{"auth_key", "auth_salt", "logged_in_key", "logged_in_salt", "nonce_key", "nonce_salt"},
			Pattern:  `(auth|logged_in|nonce)_(key|salt)["']\s{0,3},\s{0,12}["'](<[^'"\\\n]{40,90})["']`,
		},
		{
			ID: "login-call", Family: "generic", Description: "a password as the second argument of a login", Confidence: Low, Human: true, Fold: true, Keywords: []string{".login("},
			Pattern: `\.login\(\s{0,3}["'][^"'\n$%{<]{3,80}["'],\s{0,3}["'](<[^"'\n$%{<\s]{6,80})["']`,
		},
		{
			ID: "kubernetes-secret", Family: "kubernetes", Description: "a value of a Secret of Kubernetes", Confidence: Medium, Check: CheckBase64, Fold: true, MinEntropy: 3, Keywords: []string{"kind: secret", `kind: "secret"`},
			Pattern: `kind: "?secret"?\s[^{}]{0,400}data:\s{1,12}[A-Za-z0-9_.-]{1,60}:\s{1,4}["']?(<[A-Za-z0-9+/]{16,4000}={0,2})`,
		},
		{
			ID: "service-account-key", Family: "gcp", Description: "the key id of a service account file", Confidence: Medium, Keywords: []string{`"private_key_id"`},
			Pattern: `"private_key_id"\s{0,4}:\s{0,4}"(<[a-f0-9]{40})"`,
		},
		{
			ID: "aws-secret-access-key", Family: "aws", Description: "a secret access key of AWS", Confidence: High, Check: CheckAWSKey, Fold: true, MinEntropy: 3.5,
			Keywords: []string{"secret_access_key", "secretaccesskey", "secret_key", "secretkey", "secret-access-key"},
			Pattern:  `(secret_access_key|secretaccesskey|secret-access-key|secret_key|secretkey)["'\]\\]{0,3}\s{0,8}(=>|:=|[:=,>])\s{0,8}["'\\]{0,2}(<[A-Za-z0-9+/]{40})\b`,
		},
		{
			ID: "azure-secret-in-string", Family: "azure", Description: "a key in a connection string of Azure", Confidence: High, Fold: true, MinEntropy: 3.5,
			Keywords: []string{"accountkey=", "sharedaccesskey=", ";secret="},
			Pattern:  `(accountkey=|sharedaccesskey=|;secret=)(<[A-Za-z0-9+/]{38,90}={0,2})`,
		},
		{
			ID: "wireguard-private-key", Family: "wireguard", Description: "a private or shared key of WireGuard", Confidence: High, Keywords: []string{"privatekey", "presharedkey"}, Fold: true,
			Pattern: `(privatekey|presharedkey)\s{0,4}=\s{0,4}(<[A-Za-z0-9+/]{43}=)`,
		},
		{
			ID: "docker-auth", Family: "docker", Description: "credentials of a registry", Confidence: Medium, Check: CheckBasic, Keywords: []string{`"auth"`},
			Pattern: `"auth"\s{0,4}:\s{0,4}"(<[A-Za-z0-9+/]{12,400}={0,2})"`,
		},
		{
			ID: "npmrc-auth", Family: "npm", Description: "a token in an npmrc file", Confidence: Medium, Keywords: []string{":_authtoken", ":_password", "_auth"}, Fold: true, MinRandom: 20,
			Pattern: `(/:_authtoken|/:_password|_auth)\s{0,2}=\s{0,2}"?(<[A-Za-z0-9+/=_-]{16,400})`,
		},
		{
			ID: "sidekiq-credentials", Family: "sidekiq", Description: "credentials of the gem server", Confidence: High, Fold: true, Keywords: []string{"__contribsys__com"}, Loose: true,
			Pattern: "__contribsys__com(_?token)?[\"']?[ ]{0,3}[:=?.>,]{0,4}[ ]{0,3}[\"'`]?(<[a-f0-9]{8}:[a-f0-9]{8})\\b",
		},
		{
			ID: "azure-ad-client-secret", Family: "azure", Description: "a client secret of Entra", Confidence: High, Keywords: []string{"q~"},
			Pattern: `[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}`,
		},
		{
			ID: "discord-bot-token", Family: "discord", Description: "a token of a bot", Confidence: Medium, Keywords: []string{"discord", "bot"},
			Pattern: `(discord|bot)[^\n]{0,40}["'= ](<[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38})`, Fold: true,
		},
		{
			ID: "query-token", Family: "http-auth", Description: "a secret in the query of an address", Confidence: Medium, Fold: true, MinRandom: 45, Keywords: []string{"access_token=", "?token=", "&token=", "?api_key=", "&api_key=", "?key=", "&key=", "?apikey=", "&apikey=", "&secret=", "&sig="},
			Pattern: `(access_token=|[?&](token=|api_key=|key=|apikey=|secret=|sig=))(<[A-Za-z0-9_.~+/%-]{16,500})`,
		},
	}
}
