DROP TABLE "authdb"."mark";
