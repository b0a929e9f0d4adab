// process.env.IN_A_COMMENT
import 'dotenv/config'
const { A_NAME, WITH_DEFAULT = "d" } = process.env;
const text = "process.env.IN_A_STRING";
const url = `https://${process.env.HOST_NAME}/x`;
const port = Number(process.env.PORT ?? 3000), re = /process.env.IN_A_REGEXP/;
const key = process.env["API_KEY"] || "";
process.env.WRITTEN = "literal";
const debug = process.env.DEBUG === "true";
const vite = import.meta.env.VITE_TITLE;
