// Asks a real Better Auth 1.7.25 (npm i better-auth@1.7.25; node capture.mjs) what it sends and accepts, in memory.
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { bearer } from "better-auth/plugins";
import { serializeSignedCookie } from "better-call";
import { writeFileSync } from "fs";
const version = "1.7.25";
const secret = "fixture-secret-for-tests-only-0f1e2d3c4b5a69788796a5b4";
const make = (extra={}, db={user:[],session:[],account:[],verification:[]}) => [betterAuth({ secret, baseURL:"http://localhost:3000", emailAndPassword:{enabled:true}, rateLimit:{enabled:false}, database: memoryAdapter(db), logger:{disabled:true}, telemetry:{enabled:false}, ...extra }), db];
const post=(auth,base,path,body,headers={})=>auth.handler(new Request(base+"/api/auth"+path,{method:"POST",headers:{"content-type":"application/json",origin:base,...headers},body:JSON.stringify(body)}));
const get=(auth,base,path,headers={})=>auth.handler(new Request(base+"/api/auth"+path,{headers}));
const out={betterAuthVersion:version, secret, setCookies:[], requests:[]};
const rec=(what,options,res)=>out.setCookies.push({what,options,status:res.status,lines:res.headers.getSetCookie()});
for (const [options, extra, base] of [
  [{}, {}, "http://localhost:3000"],
  [{secure:true}, {baseURL:"https://app.example.com"}, "https://app.example.com"],
  [{prefix:"acme",secure:true}, {baseURL:"https://app.example.com",advanced:{cookiePrefix:"acme"}}, "https://app.example.com"],
  [{domain:"example.com",secure:true}, {baseURL:"https://app.example.com",advanced:{crossSubDomainCookies:{enabled:true,domain:"example.com"}}}, "https://app.example.com"],
  [{sameSite:"none",partitioned:true}, {advanced:{defaultCookieAttributes:{sameSite:"none",partitioned:true,secure:true}}}, "http://localhost:3000"],
]) {
  const [auth,db]=make(extra);
  let r=await post(auth,base,"/sign-up/email",{name:"Ada",email:"ada@example.com",password:"correct horse"}); rec("sign-up",options,r);
  r=await post(auth,base,"/sign-in/email",{email:"ada@example.com",password:"correct horse",rememberMe:false}); rec("sign-in without remember me",options,r);
  const jar=r.headers.getSetCookie().map(l=>l.split(";")[0]).join("; ");
  // due: both with and without dont_remember
  const s=db.session.at(-1);
  const due=()=>{ s.expiresAt=new Date(Date.now()+5*86400e3) };
  due(); r=await get(auth,base,"/get-session",{cookie:jar}); rec("get-session, due, dont_remember",options,r);
  due(); r=await get(auth,base,"/get-session",{cookie:jar.split("; ")[0]}); rec("get-session, due",options,r);
  r=await get(auth,base,"/get-session",{cookie:jar.split("; ")[0]}); rec("get-session, not due",options,r);
  s.expiresAt=new Date(Date.now()+6*86400e3+2000); r=await get(auth,base,"/get-session",{cookie:jar.split("; ")[0]}); rec("get-session, 2 s before due",options,r);
  s.expiresAt=new Date(Date.now()+6*86400e3); r=await get(auth,base,"/get-session",{cookie:jar.split("; ")[0]}); rec("get-session, due to the instant",options,r);
  s.expiresAt=new Date(Date.now()-1000); r=await get(auth,base,"/get-session",{cookie:jar}); rec("get-session, expired",options,r);
  r=await post(auth,base,"/sign-in/email",{email:"ada@example.com",password:"correct horse"}); 
  r=await post(auth,base,"/sign-out",{},{cookie:r.headers.getSetCookie()[0].split(";")[0]}); rec("sign-out",options,r);
}
// what is accepted
for (const mode of ["none","plain","signed"]) {
  const [auth,db]=make({plugins: mode==="none"?[]:[bearer(mode==="signed"?{requireSignature:true}:{})]});
  const base="http://localhost:3000";
  let r=await post(auth,base,"/sign-up/email",{name:"Ada",email:"ada@example.com",password:"correct horse"});
  const s=db.session[0]; s.token="quMkgoPvFX0sqGTfEe0exnbO2mFBaZmP"; s.expiresAt=new Date(Date.now()+7*86400e3);
  const t=s.token, enc=(await serializeSignedCookie("",t,secret)).slice(1), dec=decodeURIComponent(enc);
  const old=(await serializeSignedCookie("",t,"another-secret-another-secret-another")).slice(1);
  const other=(await serializeSignedCookie("","unknownunknownunknownunknown1234",secret)).slice(1);
  const sig=dec.slice(t.length+1), N="better-auth.session_token";
  const lastAlt=sig.slice(0,42)+String.fromCharCode(sig.charCodeAt(42)+1)+"=";
  const urlsig=sig.replaceAll("+","-").replaceAll("/","_");
  const cases=[
   ["as sent",{cookie:`${N}=${enc}`}],["not percent-encoded",{cookie:`${N}=${dec}`}],["lower-case percent-encoding",{cookie:`${N}=${enc.replace(/%[0-9A-F]{2}/g,m=>m.toLowerCase())}`}],
   ["every byte percent-encoded",{cookie:`${N}=${[...dec].map(c=>"%"+c.charCodeAt(0).toString(16).padStart(2,"0")).join("")}`}],
   ["quoted",{cookie:`${N}="${enc}"`}],["among others",{cookie:`a=b; ${N}=${enc}; c=d`}],["no space after the semicolon",{cookie:`a=b;${N}=${enc};c=d`}],
   ["twice, the good one first",{cookie:`${N}=${enc}; ${N}=${old}`}],["twice, the good one last",{cookie:`${N}=${old}; ${N}=${enc}`}],
   ["no cookie",{}],["empty",{cookie:`${N}=`}],["token alone",{cookie:`${N}=${t}`}],["signature alone",{cookie:`${N}=.${encodeURIComponent(sig)}`}],
   ["no dot",{cookie:`${N}=${t}${encodeURIComponent(sig)}`}],["another secret",{cookie:`${N}=${old}`}],["unknown token",{cookie:`${N}=${other}`}],
   ["without padding",{cookie:`${N}=${enc.replace("%3D","")}`}],["two paddings",{cookie:`${N}=${enc}%3D`}],["base64url",{cookie:`${N}=${t}.${encodeURIComponent(urlsig)}`}],
   ["unused bits of the last digit set",{cookie:`${N}=${t}.${encodeURIComponent(lastAlt)}`}],
   ["token in lower case",{cookie:`${N}=${t.toLowerCase()}.${encodeURIComponent(sig)}`}],["broken percent-encoding",{cookie:`${N}=${enc}%zz`}],["wrong name",{cookie:`__Secure-${N}=${enc}`}],["name in upper case",{cookie:`${N.toUpperCase()}=${enc}`}],
   ["space before the signature",{cookie:`${N}=${t}.%20${encodeURIComponent(sig)}`}],["two dots",{cookie:`${N}=${t}..${encodeURIComponent(sig)}`}],
   ["bearer, signed",{authorization:`Bearer ${dec}`}],["bearer, signed and percent-encoded",{authorization:`Bearer ${enc}`}],["bearer, plain",{authorization:`Bearer ${t}`}],
   ["bearer in lower case",{authorization:`bearer ${dec}`}],["bearer, more blanks",{authorization:`Bearer   ${dec}  `}],["bearer, forged",{authorization:`Bearer ${decodeURIComponent(old)}`}],["bearer, base64url without padding",{authorization:`Bearer ${t}.${urlsig.replace("=","")}`}],
   ["bearer, empty",{authorization:`Bearer `}],["basic",{authorization:`Basic ${dec}`}],["bearer, plain and unknown",{authorization:`Bearer unknownunknownunknownunknown1234`}],["bearer, without a blank",{authorization:`Bearer${dec}`}],
   ["bearer forged, cookie good",{authorization:`Bearer ${decodeURIComponent(old)}`,cookie:`${N}=${enc}`}],["bearer good, cookie forged",{authorization:`Bearer ${dec}`,cookie:`${N}=${old}`}],["bearer unknown but signed, cookie good",{authorization:`Bearer ${decodeURIComponent(other)}`,cookie:`${N}=${enc}`}],["bearer plain and unknown, cookie good",{authorization:`Bearer unknownunknownunknownunknown1234`,cookie:`${N}=${enc}`}],
   ["bearer, plain with a percent sign",{authorization:`Bearer %71${t.slice(1)}`}],["basic, cookie good",{authorization:`Basic x`,cookie:`${N}=${enc}`}],
  ];
  for (const [what,headers] of cases){ const r=await get(auth,base,"/get-session",headers); const b=r.status===200?await r.json():null; out.requests.push({bearer:mode,what,headers,accepted:b?.session?.token===t}); s.expiresAt=new Date(Date.now()+7*86400e3); if(!db.session.length) throw new Error("gone after "+what); }
  if(mode==="none"){ r=await get(auth,base,"/list-sessions"); out.unauthorized={status:r.status,headers:Object.fromEntries(r.headers),body:await r.text()}; }
}
// what better-call makes of tokens and secrets of any kind
out.signed=[];
for (const sec of [secret,"x","schlüssel-日本語-🔑-schlüssel-日本語-🔑", "s".repeat(65)]) for (const tok of ["quMkgoPvFX0sqGTfEe0exnbO2mFBaZmP","true","a.b.c"," spaced out ","!~*'()-_.","&=+;,/?:@$#%","quote\"back\\slash","é日本🔑\u0301","\u0000\n","a"]) out.signed.push({secret:sec,token:tok,value:(await serializeSignedCookie("",tok,sec)).slice(1)});
writeFileSync("server-1.7.25.json",JSON.stringify(out,null,1)+"\n");
