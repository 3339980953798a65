/*
 * texts.c
 *	  The built-in texts, by language.
 *
 * They keep to the characters of GSM-7: one that is not in it would more than
 * double what a message costs. An operator changes them, and adds languages, by
 * rows of sms_templates of the default organization.
 *
 * This file is in UTF-8. A database in an encoding without its characters has
 * the English texts, which are ASCII: no answer ends in an error.
 */
#include "core/platform.h"

#include "mb/pg_wchar.h"

#include "messaging/messaging.h"

typedef struct SmsLanguage
{
	const char *language;
	const char *texts[SMS_TEXTS];
	const char *neutral[SMS_VARIABLES]; /* what stands for what is not known */
} SmsLanguage;

static const char *const text_names[SMS_TEXTS] = {
	[SMS_TEXT_POST_CALL] = "post_call",
	[SMS_TEXT_REVIEW_REQUEST] = "review_request",
	[SMS_TEXT_APPOINTMENT_REMINDER] = "appointment_reminder",
	[SMS_TEXT_OPT_OUT] = "opt_out",
	[SMS_TEXT_OPT_IN] = "opt_in",
	[SMS_TEXT_HELP] = "help",
	[SMS_TEXT_RESCHEDULE] = "reschedule",
	[SMS_TEXT_CHOSEN] = "chosen",
	[SMS_TEXT_OPT_IN_ELSEWHERE] = "opt_in_elsewhere",
	[SMS_TEXT_RATE_LIMIT] = "rate_limit",
	[SMS_TEXT_SHARED_OPT_IN] = "shared_opt_in",
	[SMS_TEXT_SHARED_HELP] = "shared_help",
	[SMS_TEXT_UNKNOWN] = "unknown",
	[SMS_TEXT_ASK] = "ask",
};

/* The first one has every text. */
static const SmsLanguage built_in[] = {
	{
		"en",
		{
			[SMS_TEXT_POST_CALL] = "Thanks for calling {business}! Reply to this message with any questions.",
			[SMS_TEXT_REVIEW_REQUEST] = "Hi {customer_name}, thank you for choosing {business}. How did we do? {review_link}",
			[SMS_TEXT_APPOINTMENT_REMINDER] = "Reminder from {business}: your appointment is {time}. Reply YES to confirm.",
			[SMS_TEXT_OPT_OUT] = "You are unsubscribed and will receive no more messages. Reply START to resubscribe.",
			[SMS_TEXT_OPT_IN] = "{business}: you are resubscribed. Reply HELP for help, STOP to unsubscribe.",
			[SMS_TEXT_HELP] = "{business}: for help call {phone}. Message frequency varies. Msg & data rates may apply. Reply STOP to unsubscribe.",
			[SMS_TEXT_RESCHEDULE] = "{business}: we will contact you about another time, or call {phone}.",
			[SMS_TEXT_CHOSEN] = "Thanks! Your message went to {business}.",
			[SMS_TEXT_OPT_IN_ELSEWHERE] = "You are resubscribed here, but you have unsubscribed from all messages elsewhere. Reply START to that message.",
			[SMS_TEXT_RATE_LIMIT] = "You are sending messages very fast. Please wait 10 minutes. Reply STOP to unsubscribe.",
			[SMS_TEXT_SHARED_OPT_IN] = "You are resubscribed. Reply HELP for help, STOP to unsubscribe.",
			[SMS_TEXT_SHARED_HELP] = "Several businesses send messages from this number. For help call the one that wrote to you. Msg & data rates may apply. Reply STOP to unsubscribe.",
			[SMS_TEXT_UNKNOWN] = "Sorry, we could not tell which business this message is for. Please call the business, or reply to a message from it.",
			[SMS_TEXT_ASK] = "Which business is this for? Reply with its digit: {options}.",
		},
		{"us", "there", "", "us", "soon", ""},
	},
	{
		"es",
		{
			[SMS_TEXT_POST_CALL] = "Gracias por llamar a {business}. Responda a este mensaje si tiene preguntas.",
			[SMS_TEXT_REVIEW_REQUEST] = "Hola {customer_name}, gracias por elegir a {business}. ¿Quiere contarnos su experiencia? {review_link}",
			[SMS_TEXT_APPOINTMENT_REMINDER] = "Recordatorio de {business}: su cita es {time}. Responda SI para confirmar.",
			[SMS_TEXT_OPT_OUT] = "Baja confirmada: ya no le enviaremos mensajes. Responda START para volver a recibirlos.",
			[SMS_TEXT_OPT_IN] = "{business}: vuelve a recibir mensajes. Responda AYUDA para ayuda, STOP para darse de baja.",
			[SMS_TEXT_HELP] = "{business}: para ayuda llame a {phone}. La frecuencia de mensajes puede variar. Pueden aplicarse tarifas. Responda STOP para darse de baja.",
			[SMS_TEXT_RESCHEDULE] = "{business}: le contactaremos para acordar otra hora, o llame a {phone}.",
			[SMS_TEXT_CHOSEN] = "¡Gracias! Su mensaje fue enviado a {business}.",
			[SMS_TEXT_OPT_IN_ELSEWHERE] = "Vuelve a recibir mensajes de este remitente, pero en otro dio de baja todos. Responda START a aquel mensaje.",
			[SMS_TEXT_RATE_LIMIT] = "Ha enviado demasiados mensajes. Por favor espere 10 minutos. Responda STOP para darse de baja.",
			[SMS_TEXT_SHARED_OPT_IN] = "Vuelve a recibir mensajes. Responda AYUDA para ayuda, STOP para darse de baja.",
			[SMS_TEXT_SHARED_HELP] = "Varias empresas usan este remitente. Para ayuda llame a la que le escribe. Pueden aplicarse tarifas. Responda STOP para darse de baja.",
			[SMS_TEXT_UNKNOWN] = "No sabemos a cual de las empresas va este mensaje. Por favor llame a la empresa o responda a un mensaje de ella.",
			[SMS_TEXT_ASK] = "Su mensaje puede ser para varias empresas. Responda con la cifra de la correcta: {options}.",
		},
		{"nosotros", "", "", "la empresa", "pronto", ""},
	},
	{
		"fr",
		{
			[SMS_TEXT_POST_CALL] = "Merci d'avoir appelé {business}. Répondez à ce message pour toute question.",
			[SMS_TEXT_REVIEW_REQUEST] = "Bonjour {customer_name}, merci d'avoir choisi {business}. Qu'en pensez-vous ? {review_link}",
			[SMS_TEXT_APPOINTMENT_REMINDER] = "Rappel de {business} : votre rendez-vous est {time}. Répondez OUI pour confirmer.",
			[SMS_TEXT_OPT_OUT] = "Vous ne recevrez plus de messages. Répondez START pour en recevoir à nouveau.",
			[SMS_TEXT_OPT_IN] = "{business} : vous recevez à nouveau nos messages. Répondez AIDE pour de l'aide, STOP pour ne plus en recevoir.",
			[SMS_TEXT_HELP] = "{business} : pour de l'aide appelez {phone}. Le nombre de messages varie. Des frais peuvent s'appliquer. Répondez STOP pour ne plus en recevoir.",
			[SMS_TEXT_RESCHEDULE] = "{business} : nous vous contacterons pour un autre horaire, ou appelez {phone}.",
			[SMS_TEXT_CHOSEN] = "Merci ! Votre message est transmis à {business}.",
			[SMS_TEXT_OPT_IN_ELSEWHERE] = "Vous recevez à nouveau ces messages, mais ailleurs vous les avez tous refusés. Répondez START à ce message-là.",
			[SMS_TEXT_RATE_LIMIT] = "Vous écrivez trop vite. Merci d'attendre 10 minutes. Répondez STOP pour ne plus recevoir de messages.",
			[SMS_TEXT_SHARED_OPT_IN] = "Vous recevez à nouveau des messages. Répondez AIDE pour de l'aide, STOP pour ne plus en recevoir.",
			[SMS_TEXT_SHARED_HELP] = "Plusieurs entreprises utilisent ce numéro. Pour de l'aide appelez celle qui vous écrit. Des frais peuvent s'appliquer. Répondez STOP pour ne plus recevoir de messages.",
			[SMS_TEXT_UNKNOWN] = "Nous ne savons pas à quelle entreprise transmettre ce message. Appelez l'entreprise, ou répondez à un de ses messages.",
			[SMS_TEXT_ASK] = "Pour quelle entreprise est ce message ? Répondez par son chiffre : {options}.",
		},
		{"nous", "", "", "l'entreprise", "prochainement", ""},
	},
	{
		"de",
		{
			[SMS_TEXT_POST_CALL] = "Danke für Ihren Anruf bei {business}! Bei Fragen antworten Sie einfach auf diese Nachricht.",
			[SMS_TEXT_REVIEW_REQUEST] = "Hallo {customer_name}, danke, dass Sie {business} gewählt haben. Wie waren wir? {review_link}",
			[SMS_TEXT_APPOINTMENT_REMINDER] = "Erinnerung von {business}: Ihr Termin ist {time}. Antworten Sie JA, um zu bestätigen.",
			[SMS_TEXT_OPT_OUT] = "Sie sind abgemeldet und bekommen keine Nachrichten mehr. Antworten Sie START, um sich wieder anzumelden.",
			[SMS_TEXT_OPT_IN] = "{business}: Sie sind wieder angemeldet. Antworten Sie HILFE für Hilfe, STOP zum Abmelden.",
			[SMS_TEXT_HELP] = "{business}: Für Hilfe rufen Sie {phone} an. Wie oft wir schreiben, ist verschieden; es können Kosten anfallen. Antworten Sie STOP zum Abmelden.",
			[SMS_TEXT_RESCHEDULE] = "{business}: Wir melden uns wegen eines anderen Termins, oder rufen Sie {phone} an.",
			[SMS_TEXT_CHOSEN] = "Danke! Ihre Nachricht ging an {business}.",
			[SMS_TEXT_OPT_IN_ELSEWHERE] = "Sie sind hier wieder angemeldet, haben aber anderswo alle Nachrichten abbestellt. Antworten Sie START auf jene Nachricht.",
			[SMS_TEXT_RATE_LIMIT] = "Sie schreiben sehr schnell. Bitte warten Sie 10 Minuten. Antworten Sie STOP zum Abmelden.",
			[SMS_TEXT_SHARED_OPT_IN] = "Sie sind wieder angemeldet. Antworten Sie HILFE für Hilfe, STOP zum Abmelden.",
			[SMS_TEXT_SHARED_HELP] = "Mehrere Firmen schreiben von dieser Nummer. Für Hilfe rufen Sie die an, die Ihnen schrieb. Es können Kosten anfallen. Antworten Sie STOP zum Abmelden.",
			[SMS_TEXT_UNKNOWN] = "Wir wissen nicht, für welche Firma diese Nachricht ist. Bitte rufen Sie die Firma an oder antworten Sie auf eine Nachricht von ihr.",
			[SMS_TEXT_ASK] = "Für welche Firma ist das? Antworten Sie mit ihrer Ziffer: {options}.",
		},
		{"uns", "", "", "uns", "bald", ""},
	},
	{
		"pt",
		{
			[SMS_TEXT_POST_CALL] = "Obrigado por ligar para {business}! Responda a esta mensagem se tiver perguntas.",
			[SMS_TEXT_REVIEW_REQUEST] = "Oi {customer_name}, obrigado por escolher {business}. Como foi o atendimento? {review_link}",
			[SMS_TEXT_APPOINTMENT_REMINDER] = "Lembrete de {business}: seu agendamento é {time}. Responda SIM para confirmar.",
			[SMS_TEXT_OPT_OUT] = "Cancelado: mais nenhuma mensagem vai chegar. Responda START para voltar a receber.",
			[SMS_TEXT_OPT_IN] = "{business}: as mensagens voltam a chegar. Responda AJUDA para ajuda, STOP para cancelar.",
			[SMS_TEXT_HELP] = "{business}: para ajuda ligue para {phone}. A quantidade de mensagens varia. Podem incidir tarifas. Responda STOP para cancelar.",
			[SMS_TEXT_RESCHEDULE] = "{business}: entraremos em contato para combinar outro momento, ou ligue para {phone}.",
			[SMS_TEXT_CHOSEN] = "Obrigado! Sua mensagem foi para {business}.",
			[SMS_TEXT_OPT_IN_ELSEWHERE] = "As mensagens daqui voltam a chegar, mas todas foram canceladas em outro remetente. Responda START àquela mensagem.",
			[SMS_TEXT_RATE_LIMIT] = "Mensagens demais em pouco tempo. Por favor espere 10 minutos. Responda STOP para cancelar.",
			[SMS_TEXT_SHARED_OPT_IN] = "As mensagens voltam a chegar. Responda AJUDA para ajuda, STOP para cancelar.",
			[SMS_TEXT_SHARED_HELP] = "Este remetente é de diversas empresas. Para ajuda ligue para a que escreveu. Podem incidir tarifas. Responda STOP para cancelar.",
			[SMS_TEXT_UNKNOWN] = "A empresa desta mensagem é desconhecida. Por favor ligue para a empresa ou responda a uma mensagem dela.",
			[SMS_TEXT_ASK] = "Para qual empresa é esta mensagem? Responda com a cifra dela: {options}.",
		},
		{"a empresa", "", "", "a empresa", "em breve", ""},
	},
};

static bool
has_western_letters(int encoding)
{
	return encoding == PG_UTF8 || encoding == PG_LATIN1 || encoding == PG_LATIN9 || encoding == PG_WIN1252;
}

static const SmsLanguage *
find_language(const char *language)
{
	int			count = has_western_letters(GetDatabaseEncoding()) ? lengthof(built_in) : 1;

	for (int i = 0; i < count; i++)
	{
		if (strcmp(built_in[i].language, language) == 0)
			return &built_in[i];
	}
	return NULL;
}

const char *
platform_sms_text_name(SmsText kind)
{
	return text_names[kind];
}

const char *
platform_sms_built_in(SmsText kind, const char *language)
{
	const SmsLanguage *found = find_language(language);

	if (found == NULL)
		return NULL;
	return pg_any_to_server(found->texts[kind], strlen(found->texts[kind]), PG_UTF8);
}

const char *
platform_sms_neutral(SmsVariable variable, const char *language)
{
	const SmsLanguage *found = find_language(language);

	return found == NULL ? "" : found->neutral[variable];
}
