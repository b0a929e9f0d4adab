package leak

// vendorTable names the vendors whose keys have no form of their own and are known only by standing beside the name:
// names joined by |, entries parted by a slash between blanks, a leading ~ when the name is also a common word (then a word such as key or token must follow),
// and the format where there is one.
const vendorTable = `
1password / adafruitio (aio_[A-Za-z0-9]{28}|[A-Za-z0-9=_-]{32}) / adobe (p8e-[A-Za-z0-9_-]{32}|[A-Za-z0-9=_-]{32}) / ai21 / aikido / airbrake
airtable (pat[A-Za-z0-9=_-]{14}\.[A-Za-z0-9]{64}|oa[A-Za-z0-9=_-]{15}\.v1\.[A-Za-z0-9+/=_.-]{40,160}|[A-Za-z0-9=_-]{17}) / aiven / alchemy
aleph_alpha / algolia [A-Za-z0-9=_-]{32} / alibaba|aliyun (LTAI[A-Za-z0-9]{12,24}|[A-Za-z0-9=_-]{42,46}|[A-Za-z0-9=_-]{30}|STS\.[A-Za-z0-9]{20,40})
amplitude [A-Za-z0-9=_-]{32} / anthropic / anypoint / anyscale / apifonica / apify / apilayer / apimetrics / apitemplate / apollo / appdynamics
appfollow / appointedd / appoptics / appsynergy / appwrite / artifactory
asana ([A-Za-z0-9=_-]{32}|\d{16}|\d/\d{10,20}(/\d{10,20})?:[A-Za-z0-9=_-]{32}|\d/[A-Za-z0-9=_-]{32}) / ~assembly / assemblyai [A-Za-z0-9]{32} / atera
atlassian / audd / auth0 / authress / autoklose / ~autopilot / avaza / aviationstack / axonaut / ayrshare / azure_search|azuresearch|azure_openai
backblaze|b2_ / baidu / bamboohr / bannerbear / baremetrics / baseten / beamer b_[A-Za-z0-9=_-]{44} / beebole / besnappy / besttime / betterstack
bigcommerce / binance / bing_search / bitbar / ~bitbucket (ATBB[A-Za-z0-9]{32}|[A-Za-z0-9=_-]{64}|[A-Za-z0-9=_-]{32}|[A-Za-z0-9=_-]{18,20})
bitcoinaverage / bitly / bitrise / bittrex [A-Za-z0-9=_-]{32} / blazemeter / blitapp / blocknative / ~blogger / blynk / bombbomb / boostnote
borgbase / ~box / braintree / brandfetch / ~brave_search / browshot / bscscan [A-Za-z0-9]{34} / buddyns / budibase / bugcrowd / bugherd
bugsnag [A-Za-z0-9=_-]{32} / buildkite / bulbul / ~bunny / buttercms / caflou / calendarific / calendly / calorieninja / campayn / canny / canva
capella|couchbase / capsulecrm / carboninterface / centralstationcrm / cerebras / chargebee / chartmogul / ~chatbot / chatfuel / chec.io|checio
checklyhq|checkly / ~cicero / circleci (CCI(PAT|PRJ)_[A-Za-z0-9_]{60,72}|[A-Za-z0-9=_-]{40}) / civo [A-Za-z0-9]{50} / clarifai / clearbit / clerk
clickhouse / clicksend / clickup pk_\d{8,10}_[A-Z0-9]{32} / cliengo / clockify / clojars / closecrm|close.com / cloud66 / cloudant / cloudconvert
cloudflare / cloudimage / cloudinary ([A-Za-z0-9_-]{27}|\d{15}) / cloudmersive / cloudplan / cloudsight / cloudsmith / cloverly / clustdoc / cockroach
~coda / codacy / codeclimate|code_climate|cc_test_reporter / codecov (\h{8}-\h{4}-\h{4}-\h{4}-\h{12}|[A-Za-z0-9=_-]{32}) / codemagic / codequiry
cohere|co_api (co_api_[A-Za-z0-9]{36,40}|[A-Za-z0-9=_-]{40}) / coinapi
coinbase (\h{8}-\h{4}-\h{4}-\h{4}-\h{12}|[A-Za-z0-9=_-]{64}|[A-Za-z0-9=_-]{32}|[A-Za-z0-9=_-]{16}) / coinlayer / coinlib / collect2 / ~column
commercejs / confluent|kafka (cflt[A-Za-z0-9+/]{60}|[A-Za-z0-9+/]{64}|[A-Za-z0-9=_-]{16})
contentful (CFPAT-[A-Za-z0-9_-]{43}|[A-Za-z0-9=_-]{64}|[A-Za-z0-9=_-]{43}) / conversiontools / convertapi / convertkit / convex / countrylayer
~courier / coveralls / coze / craftmypdf / crates.io|cratesio / ~crisp / crowdin / cryptocompare / currencyfreaks / currencylayer / currencyscoop
currentsapi / ~cursor / customerio|customer.io / d7network / dailyco / ~dandelion / dareboost / data.gov|datagov / databento / databox / databricks
datadog (ddapp_[A-Za-z0-9]{34,40}|[A-Za-z0-9=_-]{40}|[A-Za-z0-9=_-]{32}) / datarobot / debounce.io|debounce_io / deepai
deepgram [a-f0-9]{40} / deepseek sk-[A-Za-z0-9]{32} / deezer / defined_networking|dnkey / delighted / ~deno_
dependency_track|dependencytrack / descript / detectify / detectlanguage / dfuse / diffbot / dify / diggernaut / digitalocean|digital_ocean / dingtalk
discord / disqus / ~ditto / ~django_secret / dockerhub|docker_hub / docparser / documo / doppler / ~drift / dronahq
droneci|drone_ci [A-Za-z0-9=_-]{32} / dropbox / duffel / dynalist / dynatrace / dyspatch / eagleeyenetworks / easypost / ebay ([A-Za-z0-9]{4,20}-[A-Za-z0-9]{4,20}-(PRD|SBX)-[a-f0-9]{9}-[a-f0-9]{8}|(PRD|SBX)-[a-f0-9]{12}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}|[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}) / ecostruxureit
edenai|eden_ai / elasticemail / ~elastic|elasticsearch / elevenlabs (sk_[A-Za-z0-9]{48}|[A-Za-z0-9=_-]{32}) / endorlabs|endor / ~enigma / envoy_api
~eraser / etherscan [A-Za-z0-9]{34} / ethplorer / etsy [A-Za-z0-9=_-]{24} / eventbrite / everhour / exchangerate / exchangerates
exoscale (EXO[A-Za-z0-9]{24}|[A-Za-z0-9_-]{43}) / extractorapi / facebook|fb_app / fastforex / fastly [A-Za-z0-9=_-]{32} / fcm_ / feedier
fetchrss / figma / fileio|file.io / finage / financialmodelingprep / findl / finicity ([A-Za-z0-9=_-]{32}|[A-Za-z0-9=_-]{20})
finnhub [A-Za-z0-9=_-]{20}([A-Za-z0-9=_-]{20})? / ~firebase / fireworks / ~fixer / flatio / fleetbase / flexport
flickr ([A-Za-z0-9=_-]{32}|[A-Za-z0-9=_-]{16}) / flightapi / flightlabs / ~float / flutterwave / flyio|fly_api / formbucket / formcraft / formio
foursquare / ~frame.io|frameio / freemius / freshbooks [A-Za-z0-9=_-]{64} / freshdesk / freshworks / ~front / fulcrum / fullstory / fxmarket|fx_market
~gcp_|google_|google_api / geckoboard / geoapify / geocode / geocodify / getemail / getgeoapi / getgist / getresponse / giphy [A-Za-z0-9=_-]{32}
gitea [a-f0-9]{40} / github|gh_token / gitlab / gitter [A-Za-z0-9_-]{40} / glassnode / gocardless / goodday / ~gradle / grafana / graphhopper
graylog / greptile [A-Za-z0-9+/]{48} / groovehq|groove / groq gsk_[A-Za-z0-9]{48,56} / gtmetrix / ~guardian / gumroad / gusto / gyazo / hackerone
happyscribe / ~harness / hashnode / hasura / hellosign / helpcrunch / helpscout|help_scout / hereapi|here_api
heroku (HRKU-[A-Za-z0-9_-]{36,64}|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}) / heygen / highnote / hiveage
holidayapi / ~holistic / honeybadger / honeycomb / html2pdf / hubspot / huggingface|hugging_face / ~humanity / hume / ~hunter / hybiscus
ibm_cloud|ibmcloud / iconfinder / iexapis / iexcloud|iex_cloud / imagekit / imagga / imgur / ~impala / influxdb|influx [A-Za-z0-9_-]{86}==
infomaniak / infracost / infura / insightly / instabot / ~instagram / instana / intercom (dG9r[A-Za-z0-9+/]{56}=|[A-Za-z0-9=_-]{60}) / interseller
intra42 / intrinio / ~ionic / ip2location / ipapi / ipgeolocation / ipifi|geoipify / ipinfo [A-Za-z0-9=_-]{14} / ipinfodb / ipquality / ipstack
iterable / jenkins / jfrog ([A-Za-z0-9=_-]{73}|[A-Za-z0-9=_-]{64}|cmVmdGtuOj[A-Za-z0-9]{54}) / jina / ~jira / jotform / jumpcloud / jupiterone
juro / jwplayer / kaltura / karmacrm|karma / keen_io / kickbox / kinde / klaviyo / klipfolio / knapsack / ~kong / kontent
kraken [A-Za-z0-9/=_+-]{56,90} / kucoin (\h{8}-\h{4}-\h{4}-\h{4}-\h{12}|[A-Za-z0-9=_-]{24}) / kylas / lacework / lambda_labs / langsmith|langchain
languagelayer / lark|feishu / lastfm|last.fm / launchdarkly|launch_darkly ((sdk|mob|api)-[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[a-f0-9]{4}-[a-f0-9]{12}|[A-Za-z0-9=_-]{40})
~launchpad / leadfeeder / lemlist / lemonsqueezy / lendflow / lepton / lessannoyingcrm|less_annoying / lexigram / lichess
~linear (lin_(api|oauth)_[A-Za-z0-9]{40,64}|[A-Za-z0-9=_-]{32}) / linenotify|line_notify
linkedin|linked_in|linked-in (WPL_AP1\.[A-Za-z0-9]{16}\.[A-Za-z0-9=]{4,12}|[A-Za-z0-9=_-]{16}|[A-Za-z0-9=_-]{14}) / linkpreview / livestorm / loadmill / ~lob
logdna|mezmo / loggly / loginradius / logrocket / logz / lokalise / looker ([A-Za-z0-9=_-]{24}|[A-Za-z0-9=_-]{20}) / loyverse / lunchmoney / madkudu
~magnetic / mailboxlayer / mailchimp / mailerlite / mailersend / mailgun (key-|pubkey-)?[0-9a-f]{32}(-[0-9a-f]{8}-[0-9a-f]{8})? / mailjet / mailmodo
mailosaur / mailsac / mambu / mandrill / mapbox / mapquest / marketstack / ~marvel / mattermost [A-Za-z0-9=_-]{26} / mavenlink / maxmind / mediastack
~medium / meistertask / meraki [a-f0-9]{40} / ~mercury / mergify / mesibo
messagebird|message_bird|message-bird (\h{8}-\h{4}-\h{4}-\h{4}-\h{12}|[A-Za-z0-9=_-]{25}) / metrilo / midtrans / milvus / mindmeister / minimax
~miro / mistral (msk_)?[A-Za-z0-9]{32} / mixmax / mixpanel [A-Za-z0-9=_-]{32} / mockaroo / ~modal|modal_token / moderation / mollie / ~monday
mongodb_atlas / monkeylearn / moonclerk / moonshot|kimi / moosend / moralis / ~mux / myintervals / nasdaq / ~neon / nethunt
netlify (nf[pcou]_[A-Za-z0-9_-]{36,46}|[A-Za-z0-9=_-]{64}|[A-Za-z0-9=_-]{40,46}) / newrelic|new_relic|new-relic / newsapi [A-Za-z0-9=_-]{32}
newscatcher / nexmo|vonage / nexus / nftport / ngrok [A-Za-z0-9_]{40,60} / nicereply / nightfall / ~nimble / nomics / noticeable / ~notify / ~notion
nozbe / npm_token / nuget / numverify / nvapi / nvidia / nylas / nytimes|new_york_times|new-york-times|newyorktimes [A-Za-z0-9=_-]{32} / oanda / ocr_space / octopus / okta
ollama [a-f0-9]{32}\.[A-Za-z0-9_-]{24} / omnisend / onesignal / onfido / onfleet / oopspam / openai|open_ai / opencagedata|opencage
openrouter sk-or-v1-[a-f0-9]{64} / openshift / openuv / openweather [A-Za-z0-9=_-]{32} / opsgenie \h{8}-\h{4}-\h{4}-\h{4}-\h{12} / optimizely
~oracle / overloop / ovh / owlbot / packagecloud / ~paddle / pagarme / pagerduty ([A-Za-z0-9=_-]{32}|[A-Za-z0-9_+-]{20}) / pandadoc / pandascore
paperform / papertrail / paralleldots / parseur / particle.io / partnerstack / pastebin / patreon / paydirtapp / paymo / paymongo / paypal / paystack
paytm / pdflayer / pdfshift / peopledatalabs / pepipost|netcore / perplexity pplx-[A-Za-z0-9]{48,56} / ~persona / ~phrase / pinecone / pingdom
pinterest / pipedream / pipedrive / pixabay
plaid (access-(sandbox|development|production)-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}|[A-Za-z0-9=_-]{30}|[A-Za-z0-9=_-]{24}) / planetscale (pscale_(tkn|oauth|pw)_[A-Za-z0-9=._-]{32,64}|[a-z0-9]{12}) / planyo
plivo (MA[A-Z0-9]{18}|[A-Za-z0-9=_-]{38,40}) / pocketbase / podio / ~polar / pollsapi / polygon / polymarket|poly_ / positionstack / postageapp
posthog / postman / postmark / powrbot / prefect / ~privacy / privateai|private_ai / prodpad / ~proof / prospect / protocolsio / proxycrawl / pubnub
pulumi / pushbullet / pusher / pypi / qase / qdrant / qiniu / qualaroo / qualtrics / quay / qubole / quickbooks / rabbitmq / ~ramp_ / rapid7
rapidapi [A-Za-z0-9_-]{50} / ~raven / rawg / raygun / razorpay / reachmail / readme_api|readme.io / reallysimplesystems / rebrandly / recaptcha
recurly / ~reddit / redislabs / refiner / ~render rnd_[A-Za-z0-9]{28,32} / rentman / replicate r8_[A-Za-z0-9]{37} / replit
replyio|reply.io / requestfinance / resend re_[A-Za-z0-9]{6,10}_[A-Za-z0-9]{20,26} / restpack / ringcentral / ritekit / rocketreach / rockset
rollbar [A-Za-z0-9=_-]{32} / route4me / rubygems / runpod / s3_ / salesblink / salescookie / salesflare / salesforce / sambanova
~samsara samsara_api_[A-Za-z0-9]{30} / ~sauce|saucelabs / scaleway (SCW[A-Z0-9]{17}|\h{8}-\h{4}-\h{4}-\h{4}-\h{12}) / scalingo / scalr / scrapeowl
scraperapi / scraperbox / scrapestack / scrapfly / scrapingant / scrapingbee / screenshotapi / screenshotlayer / scrutinizer / securitytrails
~segment / selectpdf / ~semaphore / sendbird (\h{8}-\h{4}-\h{4}-\h{4}-\h{12}|[A-Za-z0-9=_-]{40}) / sendgrid|sengrid / sendinblue|brevo / sendowl
sentry / serpapi / serphouse / serpstack / settlemint / sherpadesk / shipday / shippo / shodan [A-Za-z0-9=_-]{32} / shopify / ~shortcut / shotstack
shutterstock / sidekiq / signaturit / signupgenius / sigopt / simfin / simplesat / simplynoted / simvoly / sinch / sketchfab / skrapp / skylight
~slack / smartsheet / snipcart / snowflake / snyk (snyk_(uat|sat)\.[A-Za-z0-9]{8}\.[A-Za-z0-9_.-]{60,400}|\h{8}-\h{4}-\h{4}-\h{4}-\h{12})
softlayer|sl_api / solarwinds / sonarcloud / sonarqube|sonar / sourcegraph / sparkpost / speechtext / splunk / spoonacular / sportsmonk|sportmonks
spotify ([A-Za-z0-9_-]{80,300}|[A-Za-z0-9=_-]{32}) / spree / ~square / squarespace \h{8}-\h{4}-\h{4}-\h{4}-\h{12} / squareup / sslmate / ~stability
stackhawk / stackpath / statuscake / statuspage / statuspal / stitchdata / stockdata / storecove / stormboard / stormglass / storyblok / storychief
strapi / strava [A-Za-z0-9=_-]{40} / ~streak / stripe / stripo / sumologic|sumo ([A-Za-z0-9=_-]{64}|su[A-Za-z0-9=_-]{12}) / sumup / supabase
supernotes / surveybot / surveysparrow / survicate / swiftype / synthesia / tableau / tailscale / tallyfy / tatum
tavily tvly-(dev-|prod-)?[A-Za-z0-9]{32} / taxjar / teamwork / technicalanalysis / tefter / telegram / teletype / telnyx / ~temporal
tencent|tencentcloud / ~terraform|tfe_token|hashicorp|tf_api / textmagic / theoddsapi|odds_api / thingsboard / thinkific / ticketmaster / tickettailor
tiingo / tiktok / timecamp / timescale / timezoneapi / tines / tly / tmetric / todoist [A-Za-z0-9=_-]{40} / togetherai|together_ai / toggl / tomtom
tradier / transferwise / travelpayouts / ~travis / travisci [A-Za-z0-9_-]{22} / trello / truenas / trustpilot / tumblr / turnstile / twelvedata
twilio (SK)?[a-f0-9]{32} / twitch [A-Za-z0-9=_-]{30} / twitter / tyntec / typeform / typesense / ubidots / uclassify / unkey / unplugg|unplu
unsplash [A-Za-z0-9_-]{43} / upcdatabase / upcloud / uplead / upstage / upstash / uptimerobot / upwave / urlscan / userflow / userstack / vagrant
val_town|valtown / vatlayer / ~vault (hv[sr]\.[A-Za-z0-9_-]{24,120}|hvb\.[A-Za-z0-9_-]{100,300}|s\.[A-Za-z0-9]{24}) / vbout / vercel / verimail / veriphone / versioneye / viewneo / vimeo / virustotal [A-Za-z0-9=_-]{64} / visualcrossing
voiceflow / voicegain / voodoosms / voyage / vpnapi / vultr [A-Za-z0-9]{36} / vyte / walkscore
wandb|weights_and_biases (wandb_v1_[A-Za-z0-9_]{60,90}|[a-f0-9]{40}) / weatherbit / weatherstack [A-Za-z0-9=_-]{32} / weaviate
web3storage|web3 / webflow / webscraper / webscraping / wepay / whatsapp / whoxy / wistia / ~wix / woocommerce / wordpress / workato / workday
worksnaps / workstack / worldcoinindex / worldweather / wrike / xai / xero / yahoo / yandex / yelp / youneedabudget|ynab / yousign / ~youtube
zai|zhipu [a-f0-9]{32}\.[A-Za-z0-9]{16} / zapier / zendesk [A-Za-z0-9=_-]{40} / zenkit / zenrows / zenscrape / zeplin / zerobounce / zerotier
zipcodeapi / zipcodebase / zohocrm|zoho / zonka|zonkafeedback / ~zoom / zuplo
`
