package leak

// vendorTable names the vendors whose keys have no form of their own and are known only by standing beside the name:
// names joined by |, entries parted by a slash between blanks, a leading ~ when the name is also a common word (then a word such as key or token must follow),
// and the format where there is one.
const vendorTable = `
1password / adafruitio / adobe / ai21 / airbrake / airtable / aiven / alchemy / aleph_alpha / algolia / alibaba|aliyun / amplitude / anthropic
anypoint / anyscale / apifonica / apify / apilayer / apimetrics / apitemplate / apollo / appdynamics / appfollow / appointedd / appoptics / appsynergy
appwrite / artifactory / asana / ~assembly / assemblyai [A-Za-z0-9]{32} / atera / atlassian / audd / auth0 / authress / autoklose / ~autopilot / avaza / aviationstack
axonaut / ayrshare / azure_search|azuresearch|azure_openai / backblaze|b2_ / baidu / bamboohr / bannerbear / baremetrics / baseten / beamer / beebole
besnappy / besttime / betterstack / bigcommerce / binance / bing_search / bitbar / ~bitbucket / bitcoinaverage / bitly / bitrise / bittrex
blazemeter / blitapp / blocknative / ~blogger / blynk / bombbomb / boostnote / borgbase / ~box / braintree / brandfetch / ~brave_search / browshot
bscscan / buddyns / budibase / bugcrowd / bugherd / bugsnag / buildkite / bulbul / ~bunny / buttercms / caflou / calendarific / calendly
calorieninja / campayn / canny / canva / capella|couchbase / capsulecrm / carboninterface / centralstationcrm / cerebras / chargebee / chartmogul
~chatbot / chatfuel / chec.io|checio / checklyhq|checkly / ~cicero / circleci / clarifai / clearbit / clerk / clickhouse / clicksend / clickup
cliengo / clockify / clojars / closecrm|close.com / cloudant / cloudconvert / cloudflare / cloudimage / cloudinary / cloudmersive / cloudplan
cloudsight / cloudsmith / cloverly / clustdoc / cockroach / ~coda / codacy / codeclimate|code_climate|cc_test_reporter / codecov / codemagic
codequiry / cohere|co_api / coinapi / coinbase / coinlayer / coinlib / collect2 / ~column / commercejs / confluent|kafka / contentful
conversiontools / convertapi / convertkit / convex / countrylayer / ~courier / coveralls / coze / craftmypdf / crates.io|cratesio / ~crisp / crowdin
cryptocompare / currencyfreaks / currencylayer / currencyscoop / currentsapi / ~cursor / customerio|customer.io / d7network / dailyco / ~dandelion
dareboost / data.gov|datagov / databento / databox / databricks / datadog / datarobot / debounce.io|debounce_io / deepai / deepgram / deepseek
deezer / defined_networking|dnkey / delighted / dependency_track|dependencytrack / descript / detectify / detectlanguage / dfuse / diffbot / dify
diggernaut / digitalocean|digital_ocean / dingtalk / discord / disqus / ~ditto / ~django_secret / dockerhub|docker_hub / docparser / documo / doppler
~drift / dronahq / droneci|drone_ci / dropbox / duffel / dynalist / dynatrace / dyspatch / eagleeyenetworks / easypost / ecostruxureit
edenai|eden_ai / ~elastic|elasticsearch / elasticemail / elevenlabs / ~enigma / envoy_api / ~eraser / etherscan / ethplorer / etsy / eventbrite
everhour / exchangerate / exchangerates / exoscale / extractorapi / facebook|fb_app / fastforex / fastly / fcm_ / feedier / fetchrss / figma
fileio|file.io / finage / financialmodelingprep / findl / finicity / finnhub / ~firebase / fireworks / ~fixer / flatio / fleetbase / flexport / flickr
flightapi / flightlabs / ~float / flutterwave / flyio|fly_api / formbucket / formcraft / formio / foursquare / ~frame.io|frameio / freemius
freshbooks / freshdesk / freshworks / ~front / fulcrum / fullstory / fxmarket|fx_market / ~gcp_|google_|google_api / geckoboard / geoapify / geocode
geocodify / getemail / getgeoapi / getgist / getresponse / giphy / gitea / github|gh_token / gitlab / gitter / glassnode / gocardless / goodday
~gradle / grafana / graphhopper / graylog / greptile [A-Za-z0-9+/]{48} / groovehq|groove / groq / gtmetrix / ~guardian / gumroad / gusto / gyazo / hackerone
happyscribe / ~harness / hashnode / hasura / hellosign / helpcrunch / helpscout|help_scout / hereapi|here_api
heroku (HRKU-[A-Za-z0-9_-]{36,64}|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}) / heygen / hiveage / holidayapi / ~holistic / honeybadger / honeycomb / html2pdf
hubspot / huggingface|hugging_face / ~humanity / hume / ~hunter / hybiscus / ibm_cloud|ibmcloud / iconfinder / iexapis / iexcloud|iex_cloud / imagekit
imagga / imgur / ~impala / influxdb|influx / infracost / infura / insightly / instabot / ~instagram / instana / intercom / interseller / intra42
intrinio / ~ionic / ip2location / ipapi / ipgeolocation / ipifi|geoipify / ipinfo / ipinfodb / ipquality / ipstack / iterable / jenkins / jfrog / jina
~jira / jotform / jumpcloud / jupiterone / juro / jwplayer / kaltura / karmacrm|karma / keen_io / kickbox / kinde / klaviyo / klipfolio / knapsack
~kong / kontent / kraken / kucoin / kylas / lacework / lambda_labs / langsmith|langchain / languagelayer / lark|feishu / lastfm|last.fm
launchdarkly|launch_darkly / ~launchpad / leadfeeder / lemlist / lemonsqueezy / lendflow / lepton / lessannoyingcrm|less_annoying / lexigram / ~linear
linenotify|line_notify / linkedin / linkpreview / livestorm / loadmill / ~lob / logdna|mezmo / loggly / loginradius / logrocket / logz / lokalise
looker / loyverse / lunchmoney / madkudu / ~magnetic / mailboxlayer / mailchimp / mailerlite / mailgun (key-|pubkey-)?[0-9a-f]{32}(-[0-9a-f]{8}-[0-9a-f]{8})? / mailjet
mailmodo / mailosaur / mailsac / mambu / mandrill / mapbox / mapquest / marketstack / ~marvel / mattermost / mavenlink / maxmind / mediastack
~medium / meistertask / meraki / mesibo / messagebird|message_bird|message-bird / metrilo / milvus / mindmeister / ~miro / mistral / mixmax / mixpanel
mockaroo / ~modal|modal_token / moderation / mollie / ~monday / mongodb_atlas / monkeylearn / moonclerk / moonshot|kimi / moosend / moralis / ~mux
myintervals / nasdaq / ~neon / nethunt / netlify / newrelic|new_relic|new-relic / newsapi / newscatcher / nexmo|vonage / nexus / nftport / ngrok
nicereply / nightfall / ~nimble / nomics / noticeable / ~notify / ~notion / nozbe / npm_token / nuget / numverify / nvapi / nvidia / nylas
nytimes|new_york_times / oanda / ocr_space / octopus / okta / ollama [a-f0-9]{32}\.[A-Za-z0-9_-]{24} / omnisend / onesignal / onfleet / oopspam
openai|open_ai / opencagedata|opencage / openrouter / openshift / openuv / openweather / opsgenie / optimizely / ~oracle / overloop / ovh / owlbot
packagecloud / pagarme / pagerduty / pandadoc / pandascore / paperform / papertrail / paralleldots / parseur / particle.io / partnerstack / pastebin
patreon / paydirtapp / paymo / paymongo / paypal / paystack / paytm / pdflayer / pdfshift / peopledatalabs / pepipost|netcore / perplexity / ~phrase
pinecone / pingdom / pipedream / pipedrive / pixabay / plaid / planetscale / planyo / plivo / pocketbase / podio / pollsapi / polygon
polymarket|poly_ / positionstack / postageapp / posthog / postman / postmark / powrbot / prefect / ~privacy / privateai|private_ai / prodpad
prospect / protocolsio / proxycrawl / pubnub / pulumi / pushbullet / pusher / pypi / qase / qdrant / qiniu / qualaroo / qualtrics / quay / qubole
quickbooks / rabbitmq / rapid7 / rapidapi / ~raven / rawg / raygun / razorpay / reachmail / readme_api|readme.io / reallysimplesystems / rebrandly
recaptcha / recurly / ~reddit / redislabs / refiner / ~render / rentman / replicate / replit / replyio|reply.io / requestfinance / resend / restpack
ringcentral / ritekit / rocketreach / rockset / rollbar / route4me / rubygems / runpod / s3_ / salesblink / salescookie / salesflare / salesforce
sambanova / ~samsara / ~sauce|saucelabs / scaleway / scalingo / scrapeowl / scraperapi / scraperbox / scrapestack / scrapfly / scrapingant
scrapingbee / screenshotapi / screenshotlayer / scrutinizer / securitytrails / ~segment / selectpdf / ~semaphore / sendbird / sendgrid|sengrid
sendinblue|brevo / sendowl / sentry / serpapi / serphouse / serpstack / settlemint / sherpadesk / shipday / shippo / shodan / shopify / ~shortcut
shotstack / shutterstock / sidekiq / signaturit / signupgenius / sigopt / simfin / simplesat / simplynoted / simvoly / sinch / sketchfab / skrapp
skylight / ~slack / smartsheet / snipcart / snowflake / snyk / softlayer|sl_api / solarwinds / sonarcloud / sonarqube|sonar / sourcegraph / sparkpost
speechtext / splunk / spoonacular / sportsmonk|sportmonks / spotify / spree / ~square / squarespace / squareup / sslmate / ~stability / stackhawk
stackpath / statuscake / statuspage / statuspal / stitchdata / stockdata / storecove / stormboard / stormglass / storyblok / storychief / strapi
strava / ~streak / stripe / stripo / sumologic|sumo / sumup / supabase / supernotes / surveybot / surveysparrow / survicate / swiftype / synthesia
tableau / tailscale / tallyfy / tatum / tavily / taxjar / teamwork / technicalanalysis / tefter / telegram / teletype / telnyx / tencent|tencentcloud
~terraform|tfe_token|hashicorp|tf_api / textmagic / theoddsapi|odds_api / thingsboard / thinkific / ticketmaster / tickettailor / tiingo / tiktok
timecamp / timescale / timezoneapi / tines / tly / tmetric / todoist / togetherai|together_ai / toggl / tomtom / tradier / transferwise
travelpayouts / ~travis / travisci / trello / truenas / trustpilot / tumblr / turnstile / twelvedata / twilio (SK)?[a-f0-9]{32} / twitch / twitter
tyntec / typeform / typesense / ubidots / uclassify / unplugg|unplu / unsplash / upcdatabase / uplead / upstash / uptimerobot / upwave / urlscan
userflow / userstack / vagrant / vatlayer / vbout / vercel / verimail / veriphone / versioneye / viewneo / vimeo / virustotal / visualcrossing
voiceflow / voicegain / voodoosms / voyage / vpnapi / vultr / vyte / walkscore / wandb|weights_and_biases / weatherbit / weatherstack / weaviate
web3storage|web3 / webflow / webscraper / webscraping / wepay / whatsapp / whoxy / wistia / ~wix / woocommerce / wordpress / workday / worksnaps
workstack / worldcoinindex / worldweather / wrike / xai / xero / yahoo / yandex / yelp / youneedabudget|ynab / yousign / ~youtube
zai|zhipu [a-f0-9]{32}\.[A-Za-z0-9]{16} / zapier / zendesk / zenkit / zenrows / zenscrape / zeplin / zerobounce / zerotier / zipcodeapi / zipcodebase
zohocrm|zoho / zonka|zonkafeedback / ~zoom
`
